"""A new cell type from a few labelled cells: episodic, gradient-based and plain ways, measured on the same episodes.

settings   the settings file `experiments/few_shot.toml`
imaging    changes of the picture that make pseudo-tasks of one cell type
episodes   who is support and who is query
network    the embedding network: frozen early blocks, trained later blocks
meta       prototypical loss, Reptile step and the training loops
methods    how each method learns a new type from the support of an episode
run        trains and measures, resumable
report     table and curve
folders    the embeddings as model folders
"""
