// The commands of the program write to the console. Their text becomes output of the test that runs them: between the lines of a run it would hide which
// test failed.
[assembly: CaptureConsole]
