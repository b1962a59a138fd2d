"""Translation models: corpora, model, training, evaluation, translation, export."""
