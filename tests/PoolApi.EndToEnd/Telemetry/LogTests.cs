using System.Diagnostics;
using System.Net.Http.Headers;
using System.Text.RegularExpressions;

namespace PoolApi.EndToEnd.Telemetry;

/// <summary>Requests and the stop do not wait for the log, even if nothing reads it. Requests of clients cannot make the log grow.</summary>
public sealed partial class LogTests
{
    private const string Everything = "--Logging:LogLevel:Default Trace";
    private static readonly string[] Loud = [Everything, "--Logging:LogLevel:Microsoft.AspNetCore Trace", "--Logging:Console:MaxQueueLength 20", "--Pool:Workers 2", PoolApiProcess.Diagnostics];

    [Theory, ClassData(typeof(BothForms))]
    public async Task Requests_and_the_stop_complete_while_nobody_reads_the_log(ServiceForm form)
    {
        using var folder = new TemporaryFolder();
        await using var service = await PoolApiProcess.StartWithinAsync(await Unread.ShellAsync(folder), form, Loud);
        await FillAsync(service);

        foreach (string path in (string[])["/readyz", "/livez", "/v1/workers"])
            (await service.Management.GetAsync(path)).MustBe(200);
        (await service.Api.PostAsync("/v1/diagnostics/noop")).MustBe(200);
        var running = await service.OccupyAsync(2, 500);
        service.Send(UnixSignal.Terminate);
        foreach (var answer in await Task.WhenAll(running))
            answer.MustBe(200);

        Assert.Equal(0, await service.WaitForExitAsync());
    }

    [Fact]
    public async Task A_late_reader_of_the_log_sees_the_number_of_dropped_lines_and_the_last_line()
    {
        using var folder = new TemporaryFolder();
        await using var service = await PoolApiProcess.StartWithinAsync(await Unread.ShellAsync(folder), ServiceForm.NativeAot, Loud);
        await FillAsync(service);

        var log = new LineLog();
        using var reader = new StreamReader(Unread.Pipe(folder));
        var reading = ReadAsync(reader, log);
        Assert.Matches("warn: .* [1-9][0-9]* lines of the log were dropped here", await log.WaitForAsync(
            line => line.Contains("were dropped here", StringComparison.Ordinal), Patience.Long));
        service.Send(UnixSignal.Terminate);
        Assert.Equal(0, await service.WaitForExitAsync());
        await log.WaitForAsync(line => ShutdownSummary.Parse(line) is not null, Patience.Long);
        await reading.Patiently();
    }

    [Fact]
    public async Task Probes_of_a_stopping_instance_write_no_log_line()
    {
        await using var service = await PoolApiProcess.StartAsync(
            ServiceForm.NativeAot, "--Pool:Workers 1", "--Shutdown:LameDuck 00:01:00", PoolApiProcess.Diagnostics);
        service.Send(UnixSignal.Terminate);
        await service.WaitForLineAsync("Shutdown: LameDuck");
        for (int probe = 0; probe < 20; probe++)
            (await service.Management.GetAsync("/readyz")).MustBe(503);
        (await service.Management.PostAsync("/drain")).MustBe(202);

        await service.ReadSummaryAsync();

        MustBeUsual(service);
    }

    [Theory, ClassData(typeof(OneForm))]
    public async Task Hostile_and_failing_client_requests_write_no_log_line(ServiceForm form)
    {
        await using var service = await PoolApiProcess.StartAsync(
            form, "--Pool:Workers 1", "--Pool:QueueCapacity 1", "--Pool:MaxBodyBytes 100000", $"--Pool:MaxQueueTime {MachineLoad.Stretch(TimeSpan.FromSeconds(0.2)):c}", PoolApiProcess.Diagnostics);
        foreach (string request in Hostile)
        {
            using var connection = await RawConnection.OpenAsync(service.Api.Port);
            await connection.SendAsync(request);
            // The test reads the answers to complete requests only. The client of "LEAVE" disconnects without its answer.
            if (!request.StartsWith("LEAVE", StringComparison.Ordinal) && request.EndsWith("\r\n\r\n", StringComparison.Ordinal))
                await connection.ReadAsync();
        }

        foreach (byte[] image in (byte[][])[[], "GIF89a"u8.ToArray(), .. Broken(Png.Gradient(64, 64))])
        {
            using var body = new ByteArrayContent(image) { Headers = { ContentType = new MediaTypeHeaderValue("image/png") } };
            await service.Api.PostWithAsync("/v1/thumbnails?width=8", body);
        }

        await FillQueueAsync(service);
        foreach (string path in (string[])["/v1/jobs/1", "/v1/jobs?state=none", "/v1/jobs?cursor=x", "/nothing"])
            await service.Api.GetAsync(path);
        foreach (string path in (string[])["/nothing", "/v1/workers?x=1", "/v1/diagnostics/noop"])
            await service.Management.GetAsync(path);
        await Http2Garbage.SendAsync(service.Api.Port);

        (await service.StopAsync()).MustAddUp();

        MustBeUsual(service);
    }

    /// <summary>What a client may send to an HTTP/1.1 port, valid or not.</summary>
    private static readonly string[] Hostile =
    [
        "\0\u0001\u0002", "\u0016\u0003\u0001\u0002\0\u0001\0\u0001\u00fc\u0003\u0003", "GET\r\n\r\n", "GET / HTTP/9.9\r\n\r\n", "GET / HTTP/1.1\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", "GET /%zz HTTP/1.1\r\nHost: x\r\n\r\n", "GET /v1/thumbnails HTTP/1.1\r\nHost: x\r\n\r\n",
        "POST /v1/diagnostics/noop HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n\r\n",
        "POST /v1/diagnostics/noop HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n0\r\n\r\n",
        "POST /v1/diagnostics/noop?a=1&a=2 HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n", "POST /v1/diagnostics/noop HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
        "POST /v1/diagnostics/noop HTTP/1.1\r\nHost: x\r\nContent-Length: 50\r\n\r\nhalf", "POST /v1/diagnostics/sleep?ms=x HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n",
        "POST /v1/diagnostics/noop HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999\r\n\r\n", "POST /v1/diagnostics/noop HTTP/1.1\r\nHost: x\r\nExpect: nothing\r\nContent-Length: 0\r\n\r\n",
        "POST /v1/password-hashes HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 3\r\n\r\n{{{\r\n\r\n",
        "POST /v1/password-hashes HTTP/1.1\r\nHost: x\r\nContent-Type: text/plain\r\nContent-Length: 2\r\n\r\n{}\r\n\r\n",
        "POST /v1/diagnostics/noop HTTP/1.1\r\nHost: x\r\nPrefer: respond-async\r\nIdempotency-Key: \"\r\nJob-Run-At: never\r\nContent-Length: 0\r\n\r\n",
        "POST /v1/diagnostics/noop HTTP/1.1\r\nHost: x\r\ntraceparent: 00-zz\r\nX-Forwarded-For: a, b\r\nX-Forwarded-Proto: c\r\nContent-Length: 0\r\n\r\n",
        "DELETE /v1/jobs/0 HTTP/1.1\r\nHost: x\r\n\r\n", "POST /v1/diagnostics/sleep?ms=100 HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
        "LEAVE / HTTP/1.1\r\nHost: x\r\n\r\n",
    ];

    private static IEnumerable<byte[]> Broken(byte[] image)
    {
        for (int cut = 10; cut < image.Length; cut += image.Length / 4)
            yield return image[..cut];
        for (int at = 20; at < image.Length; at += image.Length / 6)
        {
            byte[] changed = [.. image];
            changed[at] ^= 0x55;
            yield return changed;
        }
    }

    /// <summary>Requests whose client disconnects, that wait too long, and that are refused.</summary>
    private static async Task FillQueueAsync(PoolApiProcess service)
    {
        var running = await service.OccupyAsync(1, 3000);
        var waiting = service.Api.PostAsync("/v1/diagnostics/noop");
        using (var leaving = await RawConnection.OpenAsync(service.Api.Port))
            await leaving.SendAsync("POST /v1/diagnostics/sleep?ms=100 HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n");
        await service.Api.PostAsync("/v1/diagnostics/noop");
        await waiting;
        await Task.WhenAll(running);
    }

    private static void MustBeUsual(PoolApiProcess service) =>
        Assert.All(service.Log.Lines, line => Assert.True(Usual().IsMatch(line), $"a line of the log: {line}"));

    [GeneratedRegex(@"^\S+ (info: PoolApi\.Jobs\.AspNetCore\.Hosting\.JobHosting\[42\] Jobs are kept|info: Microsoft\.Hosting\.Lifetime|info: PoolApi\.Threading\.FixedThreadPool\[2\] Shutting down worker|info: PoolApi\.AspNetCore\.Shutdown\.\S+ Shutdown)")]
    private static partial Regex Usual();

    /// <summary>Sends requests, which write log lines, until some lines are dropped.</summary>
    private static Task<double> FillAsync(PoolApiProcess service) => Eventually.SeesAsync(
        async () =>
        {
            (await service.Api.PostAsync("/v1/diagnostics/noop")).MustBe(200);
            return (await service.MetricsAsync()).Sum("poolapi_log_dropped_total", "reason=\"queue_full\"");
        },
        dropped => dropped > 0,
        "a log that drops lines");

    private static async Task ReadAsync(StreamReader reader, LineLog log)
    {
        while (await reader.ReadLineAsync() is { } line)
            log.Add(line);
    }

    /// <summary>A standard output that nothing reads: a pipe whose reading end the process itself keeps open.</summary>
    private static class Unread
    {
        public static async Task<string[]> ShellAsync(TemporaryFolder folder)
        {
            string pipe = Path.Combine(folder.Path, "pipe");
            var run = await ProgramRun.ToEndAsync(new ProcessStartInfo("mkfifo", [pipe]), Patience.Long);
            Assert.True(run.ExitCode == 0, run.Text);
            return ["sh", "-c", $"exec 3<>'{pipe}'; exec \"$0\" \"$@\" >'{pipe}'"];
        }

        public static FileStream Pipe(TemporaryFolder folder) => new(Path.Combine(folder.Path, "pipe"), FileMode.Open, FileAccess.Read, FileShare.ReadWrite);
    }

    /// <summary>Frames that break the rules of HTTP/2, on a port that speaks HTTP/1.1 too.</summary>
    private static class Http2Garbage
    {
        public static async Task SendAsync(int port)
        {
            using var connection = await RawConnection.OpenAsync(port);
            await connection.SendAsync("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\u00ff\u00ff\u00ff\u0009\0\0\0\0\u0001");
            await connection.ReadAsync();
        }
    }
}
