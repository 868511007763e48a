#!/bin/sh
# A network plugin that connects nothing: it tells the container runtime an address, so that a Pod gets one, and that is all.
case $CNI_COMMAND in
ADD)
	digits=$(printf %s "$CNI_CONTAINERID" | cksum | cut -d ' ' -f 1)
	printf '{"cniVersion":"0.4.0","interfaces":[{"name":"%s","sandbox":"%s"}],"ips":[{"version":"4","interface":0,"address":"10.244.%d.%d/16"}]}\n' \
		"$CNI_IFNAME" "$CNI_NETNS" $((digits / 254 % 256)) $((digits % 254 + 1))
	;;
VERSION)
	echo '{"cniVersion":"0.4.0","supportedVersions":["0.3.1","0.4.0"]}'
	;;
esac
