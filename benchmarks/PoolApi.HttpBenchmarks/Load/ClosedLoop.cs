using System.Diagnostics;
using System.Net.Sockets;

namespace PoolApi.HttpBenchmarks.Load;

/// <summary>Some connections, each of which sends the next request after the response: what a server can do when it is never overloaded.</summary>
internal static class ClosedLoop
{
    private static readonly TimeSpan LastAnswers = TimeSpan.FromSeconds(30);

    /// <returns>The number of requests served per second.</returns>
    public static double Run(Target target, int connections, TimeSpan duration) =>
        Task.Run(() => RunAsync(target, connections, duration)).GetAwaiter().GetResult();

    public static async Task<double> RunAsync(Target target, int connections, TimeSpan duration)
    {
        long startedAt = Stopwatch.GetTimestamp();
        int[] served = await Task.WhenAll(Enumerable.Range(0, connections).Select(_ => AskAsync(target, duration)))
            .WaitAsync(duration + LastAnswers);
        // Up to the last response: requests that were running at the end count, and so does their time.
        return served.Sum() / Stopwatch.GetElapsedTime(startedAt).TotalSeconds;
    }

    private static async Task<int> AskAsync(Target target, TimeSpan duration)
    {
        int served = 0;
        long startedAt = Stopwatch.GetTimestamp();
        HttpConnection? connection = null;
        try
        {
            while (Stopwatch.GetElapsedTime(startedAt) < duration)
            {
                try
                {
                    if (connection is null)
                    {
                        connection = new HttpConnection(target.Server);
                        await connection.ConnectAsync();
                    }
                    if (await connection.ExchangeAsync(target.Request) == 200) served++;
                    if (connection.IsReusable) continue;
                }
                catch (Exception e) when (e is SocketException or IOException)
                {
                    // The loop continues with a new connection, as after a close by the server.
                }
                connection?.Dispose();
                connection = null;
            }
        }
        finally
        {
            connection?.Dispose();
        }
        return served;
    }
}
