"""The mirror, as the place that models are copied from."""

from databases.foreign.source import Source
from databases.mirror.models import MirrorModel
from databases.mirror.router import MIRROR
from databases.mirror.session import only_reads

SOURCE = Source(MIRROR, MirrorModel, "The mirror", "import_mirror_models", only_reads)
