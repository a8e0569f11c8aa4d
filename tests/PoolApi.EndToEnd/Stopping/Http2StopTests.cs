using System.Diagnostics;

namespace PoolApi.EndToEnd.Stopping;

/// <summary>A stop ends an HTTP/2 connection as the protocol requires, even if the client never closes it.</summary>
public sealed class Http2StopTests
{
    [Fact]
    public async Task A_client_that_never_closes_gets_its_answers_and_a_final_GOAWAY_and_no_reset()
    {
        var environment = new Dictionary<string, string> { [PoolApiProcess.ProtocolsVariable] = "Http2" };
        await using var service = await PoolApiProcess.StartAsync(
            ServiceForm.NativeAot, onePort: false, environment, ["--Pool:Workers 2", $"--Shutdown:LameDuck {MachineLoad.Stretch(StopTimes.LameDuck):c}", $"--Shutdown:Drain {MachineLoad.Stretch(TimeSpan.FromMinutes(1)):c}", PoolApiProcess.Diagnostics]);
        using var client = await Http2Connection.OpenAsync(service.Api.Port);
        await client.GetAsync(1, PoolApiProcess.Sleep(5000));
        await service.SeeWorkersAsync(view => view.Busy == 1, "the first stream's work");
        // The stream ends after the signal, in the drain.
        await Task.Delay(200, TestContext.Current.CancellationToken);

        service.Send(UnixSignal.Terminate);
        await service.WaitForLineAsync("Shutdown: LameDuck");
        await client.GetAsync(3, "/v1/diagnostics/noop");
        await client.ReadUntilAsync(frame => frame.Ends(3));
        // The server has already asked the client to open no more streams. The client may open this one before it reads that.
        await client.GetAsync(5, "/v1/diagnostics/noop");
        await client.ReadUntilAsync(frame => frame.Ends(5));
        await client.ReadUntilAsync(frame => frame.Ends(1));
        var sinceLast = Stopwatch.StartNew();
        await client.ReadUntilAsync(frame => frame is { Type: Http2FrameType.GoAway, LastStream: < int.MaxValue });
        double final = sinceLast.Elapsed.TotalSeconds;
        await client.ReadToEndAsync();

        TestContext.Current.TestOutputHelper!.WriteLine(
            $"final GOAWAY after {final:F2} s, end after {sinceLast.Elapsed.TotalSeconds:F2} s: {string.Join(", ", client.Frames)}");
        // At most 1.5 s on an idle machine, because the server checks once a second. The deadline of the drain is at least a minute away.
        Assert.InRange(final, 0, 30);
        Assert.DoesNotContain(client.Frames, frame => frame.Type == Http2FrameType.ResetStream);
        foreach (int stream in new[] { 1, 3, 5 })
            Assert.Single(client.Frames, frame => frame.Stream == stream && frame.IsOk);
        Assert.All(client.Frames.Where(frame => frame.Type == Http2FrameType.GoAway), frame => Assert.Equal(0, frame.Error));
        Assert.Equal(5, client.Frames.Last(frame => frame.Type == Http2FrameType.GoAway).LastStream);
        Assert.Equal(new ShutdownSummary(0, 3, 3, 0, 0, 0, 0, 0, 0, 2, 2), await service.ReadSummaryAsync());
    }
}
