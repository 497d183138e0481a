"""SavedModels on disk: export, card, manifest, golden pair, verification, loading, publishing."""
