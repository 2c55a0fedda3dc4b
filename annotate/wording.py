"""Words that turn a sentence round, by hand, in English: each pair of opposites with the words that mean about the same."""

_TABLE = """
more|most / less|least|fewer|fewest
many|much|lots / few|little
short|shorter|brief|briefer|briefly|concise|concisely|terse|succinct / long|longer|verbose|wordy|lengthy|detailed
formal|formally / informal|informally|casual|colloquial
simple|simpler|simply|plain / complex|complicated|elaborate|intricate
easy|easier|easily / hard|harder|difficult
bright|brighter|light|lighter / dark|darker|dim
fast|faster|quick|quicker|quickly / slow|slower|slowly
warm|warmer|hot|hotter / cold|colder|cool|cooler
loud|louder|loudly / quiet|quieter|quietly|soft|softer|silent
high|higher / low|lower
big|bigger|large|larger|huge / small|smaller|tiny
serious|solemn / playful|funny|humorous|lighthearted
polite|politely|courteous|friendly|kind / rude|impolite|unfriendly|hostile
happy|cheerful|joyful / sad|gloomy|tragic
sharp|sharper|crisp|focused / blurry|blurred|unsharp|soft
smooth|smoother|fluid / rough|jerky|choppy|coarse
calm|relaxed|soothing / energetic|exciting|lively|agitated
modern|contemporary|new|newer / old|older|traditional|dated
optimistic|positive|positively / pessimistic|negative|negatively
confident|confidently|certain|sure / uncertain|hesitant|unsure|doubtful
predictable|expected / surprising|unexpected|unpredictable
agrees|agree|agreeing / disagrees|disagree|contradicts
moves|moving|move / still|static|stands
includes|include|contains|contain|has|uses|use|shows|adds|with|mentions / avoids|avoid|omits|omit|lacks|lack|without|excludes|leaves|skips|free
better|best|good / worse|worst|bad
real|realistic|natural / fake|artificial|stylised|stylized|abstract
specific|concrete / general|vague|generic
strong|stronger / weak|weaker
wide|wider / narrow|narrower
early|earlier / late|later
objective|neutral / subjective|biased|opinionated
always / never
""".strip()
# (pairs of opposites, 2 sides, words)
OPPOSITES = tuple(tuple(tuple(side.split("|")) for side in line.split(" / ")) for line in _TABLE.splitlines())
