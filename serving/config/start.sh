#!/bin/bash
# Starts a model server, `start.sh PROGRAM FLAG...`, in the precision that US_BILLS_PRECISION names:
# bfloat16, float32 or auto, which is bfloat16 where the processor has instructions for it. Elsewhere
# bfloat16 is emulated and several times as slow. TensorFlow Serving itself has no `auto`.
bfloat16=false
case ${US_BILLS_PRECISION:-auto} in
  bfloat16) bfloat16=true ;;
  float32) ;;
  auto)
    # macOS has no such file.
    if [[ -r /proc/cpuinfo && " $(</proc/cpuinfo) " =~ [[:space:]](avx512_bf16|amx_bf16)[[:space:]] ]]; then
      bfloat16=true
    fi
    ;;
  *)
    echo "US_BILLS_PRECISION expects auto, bfloat16 or float32. Received: '$US_BILLS_PRECISION'." >&2
    exit 255
    ;;
esac
if $bfloat16; then
  set -- "$@" --mixed_precision=bfloat16
fi
exec "$@"
