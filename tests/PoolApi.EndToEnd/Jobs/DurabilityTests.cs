using System.Diagnostics;
using System.Text.RegularExpressions;

namespace PoolApi.EndToEnd.Jobs;

/// <summary>P5: the service answers 202 only after the job is on disk.</summary>
public sealed partial class DurabilityTests
{
    private const int Jobs = 20;

    [Fact]
    public async Task Each_job_is_synced_to_disk_before_its_202_is_sent()
    {
        string strace = Tool.Require("strace", "apt-get install strace");
        await using var service = await PoolApiProcess.StartAsync(ServiceForm.NativeAot, "--Pool:Workers 1", PoolApiProcess.Diagnostics);
        // The jobs are due in an hour, so the store writes only their acceptance. The test cannot mistake another commit for it.
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
        // One client sends one request after another, so all calls between a request and its answer belong to that request.
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

    /// <summary>
    /// A process that is killed between the write of a commit and its sync leaves a job that is only in the kernel's cache. The next process must
    /// not answer for it before it has synced the log and the log's directory entry. The test builds a disk from the synced files: it has the job.
    /// </summary>
    [Fact]
    public async Task A_restarted_service_syncs_the_writes_of_a_killed_one_before_it_answers_for_them()
    {
        string strace = Tool.Require("strace", "apt-get install strace");
        using var data = new TemporaryFolder();
        using var disk = new TemporaryFolder();
        ServiceForm form = ServiceForm.Any;
        string[] settings = ["--Pool:Workers 1", PoolApiProcess.Diagnostics, $"--Jobs:Path {Path.Combine(data.Path, "jobs.db")}"];
        string later = $"Job-Run-At: {DateTimeOffset.UtcNow.AddHours(1):O}";
        await using (var killed = await PoolApiProcess.StartAsync(form, settings))
        {
            await killed.Api.AcceptJobAsync("/v1/diagnostics/noop", later);
            // All commits up to here are synced.
            foreach (string file in Directory.GetFiles(data.Path).Where(file => !file.EndsWith("-shm", StringComparison.Ordinal)))
                File.Copy(file, Path.Combine(disk.Path, Path.GetFileName(file)));
            await using (await Tracing.StartAsync(strace, killed.Id, Path.Combine(disk.Path, "kill"), "-e", "inject=fdatasync,fsync:signal=SIGKILL"))
            {
                await Assert.ThrowsAnyAsync<HttpRequestException>(
                    () => killed.Api.PostWithAsync("/v1/diagnostics/noop", null, "Prefer: respond-async", "Idempotency-Key: again", later));
                await killed.WaitForExitAsync();
            }
        }
        Assert.True(new FileInfo(Path.Combine(data.Path, "jobs.db-wal")).Length > new FileInfo(Path.Combine(disk.Path, "jobs.db-wal")).Length);

        string trace = Path.Combine(disk.Path, "trace");
        Guid promised;
        // strace traces the next start from its first call, because syncs before it listens count.
        int port = FreePorts.Next();
        var start = await ServiceCommand.CreateAsync(
            form, data.Path, [$"--Urls http://127.0.0.1:{port}", $"--Management:Urls http://127.0.0.1:{FreePorts.Next()}", .. settings]);
        foreach (string argument in new[] { start.FileName, "trace=fdatasync,fsync", "-e", trace, "-o", "-y", "-f", "--seccomp-bpf" }) // strace stops only at these
            start.ArgumentList.Insert(0, argument);
        (start.FileName, start.RedirectStandardOutput) = (strace, true);
        using (var traced = Process.Start(start)!)
        using (var api = new Endpoint(port))
        {
            try
            {
                promised = JobRequests.IdOf((await Eventually.SeesAsync(
                    () => PostOrNothingAsync(api, later), answer => answer is { Status: not 503 }, "the repeated request to be answered"))!);
            }
            finally
            {
                traced.Kill(entireProcessTree: true);
                await traced.WaitForExitAsync(TestContext.Current.CancellationToken);
            }
        }

        // Simulates a power failure: a file that was not synced keeps its old content.
        // strace pads each call with spaces before its result, depending on the length of the path.
        string[] synced = [.. (await File.ReadAllLinesAsync(trace, TestContext.Current.CancellationToken))
            .Select(static line => string.Join(' ', line.Split(' ', StringSplitOptions.RemoveEmptyEntries)))];
        Assert.Contains(synced, line => line.Contains($"<{data.Path}>) = 0", StringComparison.Ordinal));
        if (Array.Exists(synced, static line => line.Contains("jobs.db-wal>) = 0", StringComparison.Ordinal)))
            File.Copy(Path.Combine(data.Path, "jobs.db-wal"), Path.Combine(disk.Path, "jobs.db-wal"), overwrite: true);
        await using var after = await PoolApiProcess.StartAsync(
            form, "--Pool:Workers 1", PoolApiProcess.Diagnostics, $"--Jobs:Path {Path.Combine(disk.Path, "jobs.db")}");
        Assert.Equal("queued", (await after.Api.JobAsync(promised)).State);

        static async Task<Answer?> PostOrNothingAsync(Endpoint api, string later)
        {
            try
            {
                return await api.PostWithAsync("/v1/diagnostics/noop", null, "Prefer: respond-async", "Idempotency-Key: again", later);
            }
            catch (HttpRequestException)
            {
                return null; // it does not listen yet
            }
        }
    }

    /// <summary>Reads a line of the trace: "PID call(FD&lt;path&gt;, …) = …". Overlapping calls have "PID call(… &lt;unfinished …&gt;" and later
    /// "PID &lt;… call resumed&gt;…". A sync counts when it returns, and an answer when its write begins.</summary>
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

    /// <summary>strace attached to a running process, until it is disposed of.</summary>
    private sealed class Tracing : IAsyncDisposable
    {
        private readonly RunningProgram _program;

        private Tracing(string strace, int processId, string file, string[] more)
        {
            string[] arguments =
            [
                "-f", "-y", "-s", "64", "-o", file, "-p", $"{processId}", "-e",
                "trace=fdatasync,fsync,sendto,sendmsg,write,writev,pwrite64,recvfrom,recvmsg,read", .. more,
            ];
            _program = new RunningProgram(new ProcessStartInfo(strace, arguments));
        }

        public static async Task<Tracing> StartAsync(string strace, int processId, string file, params string[] more)
        {
            var tracing = new Tracing(strace, processId, file, more);
            string line = await tracing._program.WaitForLineAsync(
                static l => l.Contains(" attached", StringComparison.Ordinal) || l.Contains("not permitted", StringComparison.Ordinal), " attached");
            if (line.Contains("not permitted", StringComparison.Ordinal))
                Tool.Missing("The right to trace processes", "run as root, or set kernel.yama.ptrace_scope to 0");
            return tracing;
        }

        public async ValueTask DisposeAsync()
        {
            try
            {
                await _program.StopAsync(UnixSignal.Interrupt);
            }
            finally
            {
                await _program.DisposeAsync();
            }
        }
    }
}
