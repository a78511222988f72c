module github.com/testpool/testpool/clients/go

go 1.22.0
