"""The paper's model in numpy: masks, the network's shape, laws of features, members."""
