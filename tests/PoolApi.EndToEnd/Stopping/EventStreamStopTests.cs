using System.Diagnostics;

namespace PoolApi.EndToEnd.Stopping;

/// <summary>Every event stream gets a last event at the stop, and delays nothing.</summary>
public sealed class EventStreamStopTests
{
    private const int Clients = 50;

    [Fact]
    public async Task Fifty_streams_get_a_last_event_and_a_clean_end_at_the_signal()
    {
        await using var service = await PoolApiProcess.StartAsync(ServiceForm.NativeAot, "--Pool:Workers 2", "--Shutdown:LameDuck 00:05:00");
        var begun = new CountdownEvent(Clients);
        var allBegun = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var clock = new Stopwatch();
        var streams = Enumerable.Range(0, Clients).Select(_ => ReadAsync()).ToArray();
        await allBegun.Task.Patiently();

        clock.Start();
        service.Send(UnixSignal.Terminate);
        // A body that is cut off throws here.
        var ends = await Task.WhenAll(streams);

        foreach (var (text, _) in ends)
        {
            string[] events = [.. text.Split('\n').Where(line => line.StartsWith("event: ", StringComparison.Ordinal))];
            Assert.Equal("event: shutdown", events[^1]);
            Assert.Single(events, name => name == "event: shutdown");
            Assert.EndsWith("}\n\n", text, StringComparison.Ordinal);
        }

        double last = ends.Max(end => end.Seconds);
        TestContext.Current.TestOutputHelper!.WriteLine($"the last end {last:F3} s after SIGTERM");
        // The streams end within 1 s on an idle machine, and in any case at the signal, not at the end of the lame duck.
        Assert.Equal("lameduck", (await service.WorkersAsync()).State);

        async Task<(string Text, double Seconds)> ReadAsync()
        {
            string text = await service.Management.ReadToEndAsync("/v1/workers/stream", () =>
            {
                if (begun.Signal())
                    allBegun.SetResult();
            });
            return (text, clock.Elapsed.TotalSeconds);
        }
    }
}
