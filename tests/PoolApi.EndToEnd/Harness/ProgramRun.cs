using System.Diagnostics;

namespace PoolApi.EndToEnd.Harness;

/// <summary>A program that was run to its end: what it wrote and how it ended.</summary>
/// <param name="ExitCode">Its exit code.</param>
/// <param name="Lines">Standard output and standard error, in the order they came.</param>
internal sealed record ProgramRun(int ExitCode, IReadOnlyList<string> Lines)
{
    /// <summary>All that it wrote.</summary>
    public string Text => string.Join('\n', Lines);

    /// <summary>It must have ended with 0.</summary>
    public ProgramRun MustSucceed()
    {
        Assert.True(ExitCode == 0, $"it ended with {ExitCode}:\n{Text}");
        return this;
    }

    /// <summary>Starts a program, feeds it, and waits for its end; kills it when the time is over.</summary>
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
