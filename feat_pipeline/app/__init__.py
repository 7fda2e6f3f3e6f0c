"""The web page: photo, video, camera and two faces beside each other.

`limits` and `uploads` say what is taken in, `service` and `videos` measure it, `what_if` asks again with
other AUs, `markup`, `questions` and `overlays` lay the answers out, `handlers` fill the page's outputs with
them, and `downloads` makes the files to take away; none of these knows gradio. `page` is the layout,
`middleware` stands before it, `serve` runs both.
"""
