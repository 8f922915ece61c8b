"""Images in: archives and folders, decoding, splits, normalisation, augmentation."""
