"""The web page: photo, video, camera and two faces beside each other.

`limits` and `uploads` say what is taken in, `studio` measures it, `texts` and `views` lay the answers out,
`parcels` makes the files to take away; none of these knows gradio. `page` is the layout, `serve` runs it.
"""
