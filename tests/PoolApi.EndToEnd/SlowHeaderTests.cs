using System.Diagnostics;
using System.Globalization;

namespace PoolApi.EndToEnd;

/// <summary>Connections that are open and send next to nothing cost the others nothing.</summary>
[Collection(Quiet.Name)]
public sealed class SlowHeaderTests
{
    private const int SlowClients = 1000;

    [Fact]
    public async Task A_thousand_slow_headers_do_not_slow_an_honest_client()
    {
        // However busy the machine is, no header is given up meanwhile: that would take 30 s.
        await using var service = await PoolApiProcess.StartAsync(
            ServiceForm.NativeAot, "--Pool:Workers 2", "--Kestrel:Limits:RequestHeadersTimeout 01:00:00", PoolApiProcess.Diagnostics);
        using var honest = new KeepAliveClient(service.Api.Port);
        await MedianAsync(honest); // not the first, slow answers
        var ratios = new List<(double Ratio, double Without, double With)>();
        for (int run = 0; run < 5; run++)
        {
            double without = await MedianAsync(honest);
            var slow = new List<RawConnection>();
            try
            {
                for (int i = 0; i < SlowClients; i++)
                {
                    slow.Add(await RawConnection.OpenAsync(service.Api.Port));
                    await slow[i].SendAsync("POST /v1/diagnostics/noop HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Slow: ");
                }

                using var over = new CancellationTokenSource();
                var dripping = DripAsync(slow, over.Token);
                double with = await MedianAsync(honest);
                await over.CancelAsync();
                await dripping;
                ratios.Add((with / without, without, with));
            }
            finally
            {
                slow.ForEach(connection => connection.Dispose());
            }
        }

        var (ratio, before, after) = ratios.OrderBy(run => run.Ratio).ElementAt(2);
        TestContext.Current.TestOutputHelper!.WriteLine(string.Join(
            "; ", ratios.Select(run => string.Create(CultureInfo.InvariantCulture, $"{run.Without:F2} → {run.With:F2} ms"))));
        // The median, since on a busy machine the slowest are slow by chance. At most twice; of a fraction of a millisecond, twice is chance.
        Assert.True(ratio <= 4 || after <= MachineLoad.Stretch(100), $"median {before} ms without them, {after} ms beside them");
    }

    // A byte a second each, evenly spread.
    private static async Task DripAsync(List<RawConnection> slow, CancellationToken over)
    {
        for (int i = 0; !over.IsCancellationRequested; i++)
        {
            await slow[i % slow.Count].SendAsync("x");
            if (i % 20 == 0)
                await Task.Delay(20, CancellationToken.None); // the slowness of the clients
        }
    }

    private static async Task<double> MedianAsync(KeepAliveClient client)
    {
        var times = new List<double>();
        var all = Stopwatch.StartNew();
        // 500, or as many as a busy machine answers in 20 s.
        for (int i = 0; i < 500 && (i < 60 || all.Elapsed < TimeSpan.FromSeconds(20)); i++)
        {
            var clock = Stopwatch.StartNew();
            var answer = await client.PostAsync("/v1/diagnostics/noop");
            times.Add(clock.Elapsed.TotalMilliseconds);
            Assert.Equal(200, answer?.Status);
            // The pace of a client, so that the drip goes on beside it.
            if (i % 10 == 0)
                await Task.Delay(10, TestContext.Current.CancellationToken);
        }

        return times.Order().ElementAt(times.Count / 2);
    }
}
