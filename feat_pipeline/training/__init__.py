"""The training of networks: loop, recipe, augmentation, checkpoint, temperature."""
