using System.Diagnostics;
using System.Net.Sockets;

namespace PoolApi.EndToEnd.Stopping;

/// <summary>Between the signal and the drain, load balancers have time to notice the stop: no request is refused, and every client is
/// asked to close its connection.</summary>
public sealed class LameDuckTests
{
    [Fact]
    public async Task The_service_is_not_ready_after_the_signal_and_alive_until_the_drain_ends()
    {
        await using var service = await PoolApiProcess.StartAsync(
            ServiceForm.NativeAot, ["--Pool:Workers 1", .. StopTimes.Settings, PoolApiProcess.Diagnostics]);
        int milliseconds = PoolApiProcess.SleepTime(4000); // longer than the lame duck
        var working = Stopwatch.StartNew();
        var running = await service.OccupyAsync(1, milliseconds);
        // The first answer of a new process to a probe is slow and is not measured.
        (await service.Management.GetAsync("/readyz")).MustBe(200);

        var clock = Stopwatch.StartNew();
        service.Send(UnixSignal.Terminate);
        int ready = 0;
        while ((await service.Management.GetAsync("/readyz")).Status == 200)
            ready++;
        // 100 ms on an idle machine.
        TestContext.Current.TestOutputHelper!.WriteLine($"503 after {clock.ElapsedMilliseconds} ms, {ready} times 200 before");

        int alive = 0;
        while (!running[0].IsCompleted)
        {
            try
            {
                (await service.Management.GetAsync("/livez")).MustBe(200);
                (await service.Management.GetAsync("/readyz")).MustBe(503);
                alive++;
            }
            catch (HttpRequestException)
            {
                // After the last answer the drain is over, and the listener is closed.
                Assert.InRange(working.ElapsedMilliseconds, milliseconds, long.MaxValue);
                await running[0].Patiently();
            }

            await Task.Delay(10, TestContext.Current.CancellationToken); // the pace of the probes
        }

        Assert.True(alive > 0);
        (await running[0]).MustBe(200);
        Assert.Equal(new ShutdownSummary(0, 1, 1, 0, 0, 0, 0, 0, 0, 1, 1), await service.ReadSummaryAsync());
    }

    [Fact]
    public async Task None_of_5000_new_connections_fails()
    {
        const int Connections = 5000;
        // Long enough for any machine to open all connections. A quiet machine opens 5,000 within 2 s.
        await using var service = await PoolApiProcess.StartAsync(
            ServiceForm.NativeAot, "--Pool:Workers 2", "--Shutdown:LameDuck 00:30:00", PoolApiProcess.Diagnostics);
        service.Send(UnixSignal.Terminate);
        await service.WaitForLineAsync("Shutdown: LameDuck");
        var clock = Stopwatch.StartNew();
        var failures = new List<string>();
        int left = Connections;

        await Task.WhenAll(Enumerable.Range(0, 32).Select(_ => Task.Run(OpenAsync)));

        TestContext.Current.TestOutputHelper!.WriteLine($"{Connections} in {clock.ElapsedMilliseconds} ms");
        Assert.Empty(failures);
        Assert.Equal("lameduck", (await service.WorkersAsync()).State);
        (await service.Management.PostAsync("/drain")).MustBe(202); // skips the rest of the lame duck
        var summary = await service.ReadSummaryAsync();
        Assert.Equal((Connections, Connections), (summary.Accepted, summary.Completed));

        async Task OpenAsync()
        {
            while (Interlocked.Decrement(ref left) >= 0)
            {
                string? failure;
                try
                {
                    using var connection = await RawConnection.OpenAsync(service.Api.Port);
                    var answer = await connection.AskAsync("POST", "/v1/diagnostics/noop", "127.0.0.1");
                    failure = answer.Status == 200 && answer.AsksToClose ? null : $"{answer.Status} {answer.Text}";
                }
                catch (Exception e) when (e is IOException or SocketException)
                {
                    failure = e.Message;
                }

                if (failure is null)
                    continue;
                lock (failures)
                    failures.Add(failure);
            }
        }
    }

    [Fact]
    public async Task No_request_of_64_keep_alive_clients_is_lost()
    {
        // Long before the end of the lame duck, because a request after that may rightly be refused.
        var last = TimeSpan.FromSeconds(1.6);
        await using var service = await PoolApiProcess.StartAsync(
            ServiceForm.NativeAot, "--Pool:Workers 2", "--Shutdown:LameDuck 00:05:00", PoolApiProcess.Diagnostics);
        var clock = new Stopwatch();
        var answers = new List<(TimeSpan Asked, Answer? Answer)>();
        var clients = Enumerable.Range(0, 64).Select(ClientAsync).ToArray();
        await Patience.UntilAsync(
            () =>
            {
                lock (answers)
                    return answers.Count >= 3 * clients.Length;
            },
            "requests as usual, before the signal");

        service.Send(UnixSignal.Terminate);
        clock.Start();
        await service.WaitForLineAsync("Shutdown: LameDuck");
        var loggedAt = clock.Elapsed;
        await Task.WhenAll(clients);

        Assert.All(answers, exchange => Assert.Equal(200, exchange.Answer?.Status));
        // From 100 ms on, on an idle machine. From the log line on, in any case.
        Assert.All(
            answers.Where(exchange => exchange.Asked > loggedAt),
            exchange => Assert.True(exchange.Answer!.AsksToClose, $"no close asked for {exchange.Asked.TotalMilliseconds} ms after SIGTERM"));
        Assert.Contains(answers, exchange => exchange.Asked == TimeSpan.Zero && !exchange.Answer!.AsksToClose);
        int late = answers.Where(exchange => !exchange.Answer!.AsksToClose).Max(exchange => (int)exchange.Asked.TotalMilliseconds);
        TestContext.Current.TestOutputHelper!.WriteLine($"{answers.Count} requests; the last answer without close {late} ms after SIGTERM");
        (await service.Management.PostAsync("/drain")).MustBe(202); // skips the rest of the lame duck
        var summary = await service.ReadSummaryAsync();
        Assert.Equal((answers.Count, answers.Count), (summary.Accepted, summary.Completed));

        async Task ClientAsync(int index)
        {
            // The clients do not send in step with one another.
            await Task.Delay(index * 300 / 64, TestContext.Current.CancellationToken);
            using var client = new KeepAliveClient(service.Api.Port);
            // At least one request is sent after the log shows that the signal was handled.
            for (bool isLast = false; !isLast;)
            {
                isLast = clock.Elapsed >= last && service.Log.Lines.Any(line => line.Contains("Shutdown: LameDuck", StringComparison.OrdinalIgnoreCase));
                var asked = clock.Elapsed;
                var answer = await client.PostAsync("/v1/diagnostics/noop");
                lock (answers)
                    answers.Add((asked, answer));
                await Task.Delay(300, TestContext.Current.CancellationToken); // the pace of a client
            }
        }
    }
}
