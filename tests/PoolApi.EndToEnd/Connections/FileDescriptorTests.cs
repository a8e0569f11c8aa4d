using System.Net.Sockets;

namespace PoolApi.EndToEnd.Connections;

/// <summary>A service without free file descriptors logs that, waits for clients to disconnect, and accepts connections again.</summary>
public sealed class FileDescriptorTests
{
    private const int Limit = 200;

    [Fact]
    public async Task A_listener_without_file_descriptors_logs_once_does_not_spin_and_logs_its_recovery()
    {
        await using var service = await StartAsync();
        using (var clients = new Clients())
        {
            await clients.TakeAllAsync(service);
            string line = await service.WaitForLineAsync("cannot accept connections");
            Assert.Contains($"127.0.0.1:{service.Api.Port}", line, StringComparison.Ordinal);
            Assert.Contains("too many open files", line, StringComparison.Ordinal);

            long before = ProcessFacts.Ticks(service.Id);
            await Task.Delay(1000, TestContext.Current.CancellationToken); // the measured period
            long spent = ProcessFacts.Ticks(service.Id) - before;

            // A listener that spins takes a whole processor: 100 ticks, or fewer on a busy machine.
            Assert.InRange(spent, 0, 25);
        }

        // A connection that is accepted some time after the last failure ends the episode. So each attempt opens a new one.
        await Eventually.SeesAsync(AskAndLookAsync, recovered => recovered, "the end of the episode", pause: TimeSpan.FromMilliseconds(200));
        Assert.Single(service.Log.Lines, one => one.Contains($"127.0.0.1:{service.Api.Port} cannot accept connections", StringComparison.Ordinal));
        Assert.Equal(0, (await service.StopAsync()).Exit);

        async Task<bool> AskAndLookAsync()
        {
            using var connection = await RawConnection.OpenAsync(service.Api.Port);
            (await connection.AskAsync("GET", "/", "127.0.0.1")).MustBe(200);
            return service.Log.Lines.Any(line => line.Contains("accepts connections again", StringComparison.Ordinal));
        }
    }

    /// <summary>The streams of the log are open before the first line comes.</summary>
    [Theory]
    [InlineData(true, "--Logging:LogLevel:Default Error", "--Logging:LogLevel:Microsoft.AspNetCore Error")]
    [InlineData(false, "--Logging:Console:LogToStandardErrorThreshold Error")]
    public async Task The_first_line_of_a_stream_of_the_log_needs_no_free_file_descriptor(bool isFirstLineOfAll, params string[] settings)
    {
        await using var service = await StartAsync(settings);
        if (isFirstLineOfAll) Assert.Empty(service.Log.Lines);
        using var clients = new Clients();
        await clients.TakeAllAsync(service);
        await service.WaitForLineAsync("cannot accept connections");
    }

    private static async Task<PoolApiProcess> StartAsync(params string[] settings)
    {
        if (Tool.Find("prlimit") is null) Tool.Missing("prlimit, to limit the open files,", "apt-get install util-linux");
        // A hard limit: the runtime raises a soft one at its start.
        return await PoolApiProcess.StartWithinAsync(["prlimit", $"--nofile={Limit}:{Limit}"], ServiceForm.NativeAot, ["--Pool:Workers 1", .. settings]);
    }

    private sealed class Clients : IDisposable
    {
        private readonly List<TcpClient> _clients = [];

        /// <summary>Connects until the service has no file descriptor left. Connections that are not accepted wait in the backlog.</summary>
        public async Task TakeAllAsync(PoolApiProcess service)
        {
            for (int i = 0; i < Limit + 50; i++)
            {
                var client = new TcpClient();
                _clients.Add(client);
                await client.ConnectAsync("127.0.0.1", service.Api.Port, TestContext.Current.CancellationToken);
            }
        }

        public void Dispose()
        {
            foreach (var client in _clients) client.Dispose();
        }
    }
}
