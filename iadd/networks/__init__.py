"""Networks of the paper: ConvNet, AlexNet, VGG-11, ResNet-18."""
