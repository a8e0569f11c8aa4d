using System.Diagnostics;

namespace PoolApi.EndToEnd.Stopping;

/// <summary>A client that is slow, on purpose or not, does not delay a stop.</summary>
public sealed class SlowClientStopTests
{
    // An upload that could take days.
    private const string Upload =
        "POST /v1/thumbnails?width=8 HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: image/jpeg\r\nContent-Length: 1000000\r\n\r\n";

    [Theory]
    [InlineData(Upload)]
    [InlineData("POST /v1/thumbnails?width=8 HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Half: ")]
    [InlineData("")]
    public async Task A_stop_answers_or_closes_the_connection_of_a_slow_client_and_exits_with_0(string sent)
    {
        var drain = TimeSpan.FromSeconds(5);
        var allowed = StopTimes.LameDuck + drain + TimeSpan.FromSeconds(30); // the rest is 1 s on an idle machine
        await using var service = await PoolApiProcess.StartAsync(ServiceForm.NativeAot, ["--Pool:Workers 1", .. StopTimes.Settings, $"--Shutdown:Drain {drain:c}"]);
        using var connection = await RawConnection.OpenAsync(service.Api.Port);
        await connection.SendAsync(sent);
        var answering = connection.ReadAsync();
        var exiting = service.WaitForExitAsync();
        // The drip begins before the signal.
        await DripAsync(connection, TimeSpan.FromMilliseconds(300));

        var clock = Stopwatch.StartNew();
        service.Send(UnixSignal.Terminate);
        while (!exiting.IsCompleted)
            await DripAsync(connection, TimeSpan.FromSeconds(1), exiting);

        TestContext.Current.TestOutputHelper!.WriteLine($"exit {await exiting} after {clock.Elapsed.TotalSeconds:F2} s");
        Assert.Equal(0, await exiting);
        Assert.InRange(clock.Elapsed, StopTimes.LameDuck, allowed);
        if (await answering is { } answer)
            answer.MustBeProblemOf(408, 503);
        else
            Assert.NotEqual(Upload, sent);
    }

    // The pace of the slow client, not a wait for something.
    private static async Task DripAsync(RawConnection connection, TimeSpan pause, Task? end = null)
    {
        try
        {
            await connection.SendAsync("x");
        }
        catch (IOException)
        {
            // The service closed the connection, which is one of the right outcomes.
        }

        await Task.WhenAny(end ?? Task.Delay(pause), Task.Delay(pause, TestContext.Current.CancellationToken));
    }
}
