using System.Diagnostics;
using System.Text.RegularExpressions;

namespace PoolApi.EndToEnd.Jobs;

/// <summary>P5: 202 follows the disk.</summary>
public sealed partial class DurabilityTests
{
    private const int Jobs = 20;

    [Fact]
    public async Task Before_each_202_is_written_the_disk_has_said_that_it_has_the_job()
    {
        string strace = Tool.Require("strace", "apt-get install strace");
        await using var service = await PoolApiProcess.StartAsync(ServiceForm.NativeAot, "--Pool:Workers 1", PoolApiProcess.Diagnostics);
        // Due in an hour: nothing but their acceptance is written, so that no other commit is taken for it.
        string later = $"Job-Run-At: {DateTimeOffset.UtcNow.AddHours(1):O}";
        await service.Api.AcceptJobAsync("/v1/diagnostics/noop", later);
        using var folder = new TemporaryFolder();
        string trace = Path.Combine(folder.Path, "trace");

        await using (await Tracing.StartAsync(strace, service.Id, trace))
        {
            for (int i = 0; i < Jobs; i++)
                await service.Api.AcceptJobAsync("/v1/diagnostics/noop", later);
        }

        var calls = (await File.ReadAllLinesAsync(trace, TestContext.Current.CancellationToken)).Select(Read).Where(call => call != Call.Other).ToList();
        TestContext.Current.TestOutputHelper!.WriteLine(string.Join(' ', calls));
        Assert.Equal(Jobs, calls.Count(call => call == Call.Request));
        Assert.Equal(Jobs, calls.Count(call => call == Call.Accepted));
        // One client, one after another: what lies between a request and its answer is the request's.
        for (int i = 0, from = 0; i < Jobs; i++)
        {
            int request = calls.IndexOf(Call.Request, from), accepted = calls.IndexOf(Call.Accepted, from);
            Assert.True(request < accepted, $"answer {i} before its request");
            int written = calls.IndexOf(Call.Written, request);
            Assert.InRange(written, request, accepted);
            Assert.InRange(calls.IndexOf(Call.Synced, written), written, accepted);
            from = accepted + 1;
        }
    }

    /// <summary>One line of the trace: "PID call(FD&lt;path&gt;, …) = …", and where two threads are at it, "PID call(… &lt;unfinished …&gt;" and
    /// later "PID &lt;… call resumed&gt;…". What counts is when a sync has returned, and when an answer begins to be written.</summary>
    private static Call Read(string line)
    {
        if (line.Contains("POST /v1/diagnostics", StringComparison.Ordinal))
            return Call.Request;
        if (line.Contains("HTTP/1.1 202", StringComparison.Ordinal))
            return Call.Accepted;
        if (WriteToLog().IsMatch(line))
            return Call.Written;
        return SyncDone().IsMatch(line) ? Call.Synced : Call.Other;
    }

    [GeneratedRegex(@"p?write(v|64)?\(\d+<[^>]*jobs\.db(-wal|-journal)?>")]
    private static partial Regex WriteToLog();

    [GeneratedRegex(@"(f(data)?sync\(\d+<[^>]*jobs\.db(-wal|-journal)?>\)|f(data)?sync resumed>.*\))\s*= 0")]
    private static partial Regex SyncDone();

    private enum Call
    {
        Other,
        Request,
        Written,
        Synced,
        Accepted,
    }

    /// <summary>strace on a process that runs already; detaches at its end.</summary>
    private sealed class Tracing : IAsyncDisposable
    {
        private readonly Process _process;
        private readonly LineLog _log = new();

        private Tracing(string strace, int processId, string file)
        {
            string[] arguments =
            [
                "-f", "-y", "-s", "64", "-o", file, "-p", $"{processId}", "-e",
                "trace=fdatasync,fsync,sendto,sendmsg,write,writev,pwrite64,recvfrom,recvmsg,read",
            ];
            _process = new Process { StartInfo = new ProcessStartInfo(strace, arguments) { RedirectStandardError = true } };
            _process.ErrorDataReceived += (_, e) =>
            {
                if (e.Data is { } line)
                    _log.Add(line);
            };
            _process.Start();
            _process.BeginErrorReadLine();
        }

        public static async Task<Tracing> StartAsync(string strace, int processId, string file)
        {
            var tracing = new Tracing(strace, processId, file);
            string line = await tracing._log.WaitForAsync(
                l => l.Contains(" attached", StringComparison.Ordinal) || l.Contains("not permitted", StringComparison.Ordinal), TimeSpan.FromSeconds(20));
            if (line.Contains("not permitted", StringComparison.Ordinal))
                Tool.Missing("The right to trace processes", "run as root, or set kernel.yama.ptrace_scope to 0");
            return tracing;
        }

        public async ValueTask DisposeAsync()
        {
            Libc.Send(_process.Id, Signal.Interrupt);
            await _process.WaitForExitAsync();
            _process.Dispose();
        }
    }
}
