using System.Diagnostics;

namespace PoolApi.TestKit.Processes;

/// <summary>A program that was run to its end: what it wrote and how it ended.</summary>
/// <param name="ExitCode">Its exit code.</param>
/// <param name="Lines">The lines of standard output and standard error, in the order of arrival.</param>
public sealed record ProgramRun(int ExitCode, IReadOnlyList<string> Lines)
{
    private static readonly TimeSpan BuildPatience = TimeSpan.FromMinutes(40);

    /// <summary>The name of the compiler server for the builds of a test run. A compiler without a server spends most of its time on its start. The
    /// fixture that sets the name ends the server. Null: there is no server.</summary>
    public static string? CompilerServer { get; set; }

    /// <summary>All that it wrote.</summary>
    public string Text => string.Join('\n', Lines);

    /// <summary>Fails the test unless the exit code is 0.</summary>
    public ProgramRun MustSucceed()
    {
        Assert.True(ExitCode == 0, $"the program ended with {ExitCode}:\n{Text}");
        return this;
    }

    /// <summary>How to start a program that is isolated from the build and the tests around it, and that leaves no process behind.</summary>
    public static ProcessStartInfo Apart(string folder, string program, params IEnumerable<string> arguments)
    {
        var start = new ProcessStartInfo(program, arguments) { WorkingDirectory = folder };
        // Child processes inherit the settings of the MSBuild of `dotnet test`.
        foreach (string name in start.Environment.Keys.Where(static name => name.StartsWith("MSBUILD", StringComparison.OrdinalIgnoreCase)).ToArray())
            start.Environment.Remove(name);
        start.Environment["MSBUILDDISABLENODEREUSE"] = "1";
        start.Environment["UseSharedCompilation"] = CompilerServer is null ? "false" : "true";
        if (CompilerServer is not null) start.Environment["SharedCompilationId"] = CompilerServer;
        // As in this repository's own builds: analyzers take half of the time.
        if (!LongTests.Wanted) start.Environment["RunAnalyzersDuringBuild"] = "false";
        // The program lives for seconds: profile-guided compilation costs a fifth more processor time, and gains nothing.
        start.Environment["DOTNET_TieredPGO"] = "0";
        start.Environment["DOTNET_EnableWriteXorExecute"] = "0";
        start.Environment["DOTNET_CLI_TELEMETRY_OPTOUT"] = "1";
        start.Environment["DOTNET_NOLOGO"] = "1";
        return start;
    }

    /// <summary>Runs a program in this way. It must end with 0.</summary>
    /// <returns>All that it wrote.</returns>
    public static async Task<string> ApartAsync(string folder, string program, params IEnumerable<string> arguments) =>
        (await ToEndAsync(Apart(folder, program, arguments), BuildPatience)).MustSucceed().Text;

    /// <summary>Starts a program, writes its input and waits for its end. Kills it after the timeout.</summary>
    public static async Task<ProgramRun> ToEndAsync(ProcessStartInfo start, TimeSpan timeout, string? input = null)
    {
        start.RedirectStandardOutput = true;
        start.RedirectStandardError = true;
        start.RedirectStandardInput = true;
        var log = new LineLog();
        using var process = new Process { StartInfo = start };
        process.OutputDataReceived += (_, e) => Take(e.Data);
        process.ErrorDataReceived += (_, e) => Take(e.Data);
        process.Start();
        process.BeginOutputReadLine();
        process.BeginErrorReadLine();
        if (input is not null)
            await process.StandardInput.WriteAsync(input);
        process.StandardInput.Close();
        using var deadline = new CancellationTokenSource(timeout);
        try
        {
            await process.WaitForExitAsync(deadline.Token);
        }
        catch (OperationCanceledException)
        {
            process.Kill(entireProcessTree: true);
            throw new TimeoutException($"{start.FileName} did not end within {timeout.TotalSeconds} s; it wrote:\n{log}");
        }

        return new ProgramRun(process.ExitCode, log.Lines);

        void Take(string? line)
        {
            if (line is not null)
                log.Add(line);
        }
    }
}
