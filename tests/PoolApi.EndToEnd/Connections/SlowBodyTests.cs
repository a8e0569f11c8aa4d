namespace PoolApi.EndToEnd.Connections;

/// <summary>A client that sends slower than Kestrel allows is refused, and never holds a worker.</summary>
public sealed class SlowBodyTests
{
    private static readonly TimeSpan Drip = TimeSpan.FromMilliseconds(250);

    [Theory, ClassData(typeof(OneForm))]
    public async Task A_slow_request_body_ends_with_408_or_a_closed_connection_and_never_holds_a_worker(ServiceForm form)
    {
        await using var service = await PoolApiProcess.StartAsync(form, "--Pool:Workers 1", PoolApiProcess.Diagnostics);
        using var connection = await RawConnection.OpenAsync(service.Api.Port);
        await connection.SendAsync(
            "POST /v1/thumbnails?width=8 HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: image/jpeg\r\nContent-Length: 1000000\r\n\r\n");
        var answering = connection.ReadAsync();

        while (!answering.IsCompleted)
        {
            try
            {
                await connection.SendAsync("x");
            }
            catch (IOException)
            {
                // The service closed the connection, which is one of the two right outcomes.
            }

            // The pace of the slow client, not a wait for something.
            await Task.WhenAny(answering, Task.Delay(Drip, TestContext.Current.CancellationToken));
        }

        if (await answering is { } answer)
            answer.MustBeProblem(408);
        (await service.Api.PostAsync("/v1/diagnostics/noop")).MustBe(200);
        var view = await service.SeeWorkersAsync(v => v.AllIdle && v.QueueBytes == 0, "nothing held for the slow client");
        Assert.Equal(1, view.Workers.Sum(worker => worker.Completed));
        Assert.Equal(0, (await service.StopAsync()).Exit);
    }
}
