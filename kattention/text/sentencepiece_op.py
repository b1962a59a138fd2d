"""The one place that touches tensorflow-text's private classes.

tensorflow-text lets the eager kernel cache own the SentencePiece resource, so
`keras.utils.set_random_seed`, `tf.random.set_seed` and
`keras.backend.clear_session` destroy every tokenizer of the process. With a
`shared_name` the resource manager owns it. tensorflow-text has no argument for
the name, and creates the resource in a private class, which this module
overrides. A test fails if an upgrade moves that class.
"""

import hashlib

import tensorflow_text
from tensorflow_text.python.ops import sentencepiece_tokenizer as private


class _SharedModelResource(private._SentencepieceModelResource):
    def _create_resource(self):
        digest = hashlib.sha256(self._model).hexdigest()
        return private.gen_sentencepiece_tokenizer.sentencepiece_op(
            model=self._model, shared_name=f"kattention_{digest}"
        )


class SharedSentencepieceTokenizer(tensorflow_text.SentencepieceTokenizer):
    """`tensorflow_text.SentencepieceTokenizer` that outlives a session reset.

    Args:
        model: The serialised SentencePiece model, bytes.
    """

    def __init__(self, model):
        super().__init__(model)
        self._model_resource = _SharedModelResource(model, None)
