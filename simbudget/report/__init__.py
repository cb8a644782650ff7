"""What a person sees: the answer, tables, pictures, a timeline. Nothing is computed here but what is drawn."""
