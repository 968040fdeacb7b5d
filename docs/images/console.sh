#!/usr/bin/env bash
# Draws console.png: "lookalike describe" in a terminal that draws sixels (mlterm).
# Needs xvfb-run, mlterm and ImageMagick, and a model server:
#   bash docs/images/console.sh [HOST:PORT]
set -euo pipefail

if [ -z "${DRAWING:-}" ]; then
  DRAWING=1 exec xvfb-run -a -s '-screen 0 900x1100x24' bash "$0" "$@"
fi
server=${1:-localhost:50051}
root=$(cd "$(dirname "$0")/../.." && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"; kill $(jobs -p) 2>/dev/null || true' EXIT

"$root/.venv/bin/python" - "$work/astronaut.jpg" <<'PYTHON'
import sys

from PIL import Image
from skimage import data  # NASA's portrait of Eileen Collins, public domain

Image.fromarray(data.astronaut()).save(sys.argv[1], quality=92)
PYTHON

cat >"$work/session.sh" <<SESSION
#!/usr/bin/env bash
cd "$work"
echo '$ lookalike describe astronaut.jpg'
"$root/.venv/bin/lookalike" describe astronaut.jpg --server "$server"
touch done
sleep 60
SESSION
chmod +x "$work/session.sh"

LC_ALL=C.UTF-8 mlterm --bg '#1d1f24' --fg '#e6e6e6' -g 86x34 -w 15 --sbmod none -e "$work/session.sh" 2>/dev/null &
until [ -e "$work/done" ]; do sleep 0.2; done
sleep 1
import -window root png:"$work/screen.png"
convert "$work/screen.png[0]" -trim +repage -bordercolor '#1d1f24' -border 12 -colors 256 \
  "$root/docs/images/console.png"
