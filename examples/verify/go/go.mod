module example.com/sallyport-verify

go 1.19
