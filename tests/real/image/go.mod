module reef.dev/image

go 1.24
