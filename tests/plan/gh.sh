#!/usr/bin/env bash
# `gh api` as the example calls it, at an address of the tests: --paginate, --jq, --method, --field body=@FILE, --silent.
set -euo pipefail
[ "$1" = api ] && shift
method=GET filter=. page='' data=() path=''
while [ $# -gt 0 ]; do
    case "$1" in
        --paginate) page=1 ;;
        --silent) filter=empty ;;
        --jq) filter=$2 && shift ;;
        --method) method=$2 && shift ;;
        --field)
            [ "${2%%@*}" = body= ]
            data=(--data-binary "$(jq --raw-input --slurp '{ body: . }' "${2#body=@}")")
            shift
            ;;
        -*) echo "unknown flag: $1" >&2 && exit 1 ;;
        *) path=$1 ;;
    esac
    shift
done
while :; do
    found=$(curl --fail --silent --show-error --header "Authorization: token $GH_TOKEN" --request "$method" \
        "ADDRESS/$path${page:+&page=$page}" "${data[@]}")
    jq --raw-output "$filter" <<< "$found"
    if [ -z "$page" ] || [ "$(jq length <<< "$found")" -lt 100 ]; then exit 0; fi
    page=$((page + 1))
done
