using System.Diagnostics;
using System.Text;

namespace PoolApi.EndToEnd;

/// <summary>Tests the harness itself, so that a failure of another test points to the service.</summary>
public sealed class HarnessTests
{
    [Fact]
    public async Task LineLog_finds_a_line_written_before_or_after_the_call()
    {
        var log = new LineLog();
        log.Add("before");
        var later = log.WaitForAsync(line => line == "after", Patience.Long);
        Assert.False(later.IsCompleted);
        log.Add("after");

        Assert.Equal("before", await log.WaitForAsync(line => line == "before", Patience.Long));
        Assert.Equal("after", await later);
    }

    [Fact]
    public async Task A_wait_for_a_line_fails_when_the_process_ends()
    {
        var log = new LineLog();
        var never = log.WaitForAsync(_ => false, TimeSpan.FromMinutes(5));
        log.Complete();

        await Assert.ThrowsAsync<InvalidOperationException>(() => never);
    }

    [Fact]
    public void The_summary_parser_accepts_only_the_exact_format_of_the_last_log_line()
    {
        const string Line = "info: PoolApi.Shutdown[9] Shutdown complete: exit 3, accepted 40, completed 1, failed 2, cancelled 3, " +
            "expired 4, client gone 6, not started 7, abandoned 8, timed out 9, joined 1/2";

        Assert.Equal(new ShutdownSummary(3, 40, 1, 2, 3, 4, 6, 7, 8, 1, 2) { TimedOut = 9 }, ShutdownSummary.Parse(Line));
        Assert.Null(ShutdownSummary.Parse(Line.Replace("client gone", "client_gone", StringComparison.Ordinal)));
        Assert.Null(ShutdownSummary.Parse(Line + " (in 12 ms)"));
        ShutdownSummary.Parse(Line)!.MustAddUp();
    }

    [Fact]
    public async Task Concurrent_callers_of_FreePorts_get_different_ports()
    {
        var cancellation = TestContext.Current.CancellationToken;
        int[] ports = await Task.WhenAll(Enumerable.Range(0, 50).Select(_ => Task.Run(FreePorts.Next, cancellation)));

        Assert.Equal(50, ports.Distinct().Count());
        Assert.All(ports, port => Assert.InRange(port, 12_000, 32_000));
    }

    [Fact]
    public async Task Output_input_and_exit_code_of_a_program_are_seen()
    {
        var start = new ProcessStartInfo("sh", ["-c", "cat; echo oops >&2; exit 7"]);

        var run = await ProgramRun.ToEndAsync(start, Patience.Long, "fed\n");

        Assert.Equal(7, run.ExitCode);
        Assert.Equal(["fed", "oops"], run.Lines.Order());
    }

    [Fact]
    public void The_sizes_of_known_images_are_read()
    {
        Assert.Equal(new ImageHeader("png", 40, 30), ImageHeader.Read(Png.Gradient(40, 30)));
        // A lossless WebP of 1 × 1 and a JPEG's first segments, both written by hand.
        byte[] webp = [.. "RIFF"u8, 26, 0, 0, 0, .. "WEBPVP8L"u8, 13, 0, 0, 0, 0x2F, 0, 0, 0, 0x10, 7, 16, 17, 17, 0x88, 0x88, 8, 7, 0];
        Assert.Equal(new ImageHeader("webp", 1, 1), ImageHeader.Read(webp));
        byte[] jpeg = [0xFF, 0xD8, 0xFF, 0xE0, 0, 4, 1, 1, 0xFF, 0xC2, 0, 11, 8, 0x0C, 0x64, 0x16, 0x08, 3, 0, 0, 0, 0];
        Assert.Equal(new ImageHeader("jpeg", 5640, 3172), ImageHeader.Read(jpeg));
        Assert.ThrowsAny<Exception>(() => ImageHeader.Read(Encoding.ASCII.GetBytes("GIF89a and so on")));
    }

    [Fact]
    public void Samples_are_added_up_by_label()
    {
        var metrics = Exposition.Parse("""
            # TYPE a_total counter
            a_total{pool="cpu",kind="x/{y}"} 2
            a_total{pool="cpu",kind="z"} 3.5 1700000000000
            b +Inf
            """);

        Assert.Equal(5.5, metrics.Sum("a_total"));
        Assert.Equal(2, metrics.Sum("a_total", "kind=\"x/{y}\""));
        Assert.Equal(["a_total", "b"], metrics.Names);
    }

    [Fact]
    public void ProcessFacts_reads_the_threads_and_the_resident_memory_of_a_process()
    {
        using var self = Process.GetCurrentProcess();

        Assert.Contains(ProcessFacts.Threads(self.Id), thread => thread.Name.StartsWith(".NET", StringComparison.Ordinal));
        Assert.InRange(ProcessFacts.ResidentBytes(self.Id), 1 << 20, 8L << 30);
    }
}
