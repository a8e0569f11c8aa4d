// The commands of the program write to the console. What they write in a test belongs to the output of that test: between the lines of a run it would hide
// which test failed.
[assembly: CaptureConsole]
