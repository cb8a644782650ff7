"""How keys are read and written: documents with positions, blocks, quantities and their text forms."""
