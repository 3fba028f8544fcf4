"""The tokenizer: one token per word, numbers as whole words, and a chat template in the ChatML layout."""

from __future__ import annotations

import itertools

from questions import LARGEST, OPERATORS
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers
from transcripts import EMPTY_REFLECTIONS, OPENERS, REFLECTION_REQUEST, VERBS
from transformers import PreTrainedTokenizerFast

CONTEXT_LENGTH = 128
PAD, UNKNOWN, TURN_START, TURN_END = "<pad>", "<unk>", "<|im_start|>", "<|im_end|>"
SPECIAL_TOKENS = (PAD, UNKNOWN, TURN_START, TURN_END)
LINE_BREAK = "\n"

CHAT_TEMPLATE = (
    "{% for m in messages %}<|im_start|>{{ m['role'] }}\n{{ m['content'] }}<|im_end|>{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


def build_tokenizer() -> PreTrainedTokenizerFast:
    """A tokenizer that splits at white space; words outside the vocabulary become ``<unk>``."""
    vocabulary = {word: i for i, word in enumerate([*SPECIAL_TOKENS, LINE_BREAK, *_words(), *_numbers()])}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token=UNKNOWN))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    tokenizer.add_special_tokens([AddedToken(t, special=True, normalized=False) for t in SPECIAL_TOKENS])
    tokenizer.add_tokens([AddedToken(LINE_BREAK, normalized=False)])
    tokenizer.decoder = _decoder()
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token=PAD,
        unk_token=UNKNOWN,
        eos_token=TURN_END,
        padding_side="left",
        clean_up_tokenization_spaces=False,
        model_max_length=CONTEXT_LENGTH,
        chat_template=CHAT_TEMPLATE,
    )


def _decoder() -> decoders.Decoder:
    """Joins words by spaces, but puts none after a line break.

    vLLM decodes an answer as the continuation of its prompt, which ends in a line break: a space there would
    begin every answer, and its text would differ from what ``transformers`` decodes.
    """
    joined = decoders.WordPiece(prefix="##", cleanup=False)
    return decoders.Sequence([joined, decoders.Fuse(), decoders.Replace(LINE_BREAK + " ", LINE_BREAK)])


def _words() -> list[str]:
    sentences = [REFLECTION_REQUEST, *OPENERS, *EMPTY_REFLECTIONS]
    words = ["user", "assistant", "make", "from", "retry", "use", *OPERATORS, *VERBS.values()]
    return list(dict.fromkeys(itertools.chain(words, *(s.split() for s in sentences))))


def _numbers() -> list[str]:
    return [str(n) for n in range(LARGEST * LARGEST + 1)]
