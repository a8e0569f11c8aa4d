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
        List<TcpClient> clients = await TakeAllAsync(service);
        try
        {
            string line = await service.WaitForLineAsync("cannot accept connections");
            Assert.Contains($"127.0.0.1:{service.Api.Port}", line, StringComparison.Ordinal);
            Assert.Contains("too many open files", line, StringComparison.Ordinal);

            long before = ProcessFacts.Ticks(service.Id);
            await Task.Delay(1000, TestContext.Current.CancellationToken); // the measured period
            long spent = ProcessFacts.Ticks(service.Id) - before;

            // A listener that spins takes a whole processor: 100 ticks, or fewer on a busy machine.
            Assert.InRange(spent, 0, 25);
        }
        finally
        {
            foreach (var client in clients) client.Dispose();
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
    [InlineData("--Logging:LogLevel:Default Error")]
    [InlineData("--Logging:Console:LogToStandardErrorThreshold Error")]
    public async Task The_first_line_of_a_stream_of_the_log_needs_no_free_file_descriptor(string setting)
    {
        await using var service = await StartAsync(setting);
        List<TcpClient> clients = await TakeAllAsync(service);
        await service.WaitForLineAsync("cannot accept connections");
        foreach (var client in clients) client.Dispose();
    }

    private static async Task<PoolApiProcess> StartAsync(params string[] settings)
    {
        if (Tool.Find("prlimit") is null) Tool.Missing("prlimit, to limit the open files,", "apt-get install util-linux");
        // A hard limit: the runtime raises a soft one at its start.
        return await PoolApiProcess.StartWithinAsync(["prlimit", $"--nofile={Limit}:{Limit}"], ServiceForm.NativeAot, ["--Pool:Workers 1", .. settings]);
    }

    /// <summary>Connects until the service has no file descriptor left. Connections that are not accepted wait in the backlog.</summary>
    private static async Task<List<TcpClient>> TakeAllAsync(PoolApiProcess service)
    {
        var clients = new List<TcpClient>();
        for (int i = 0; i < Limit + 50; i++)
        {
            var client = new TcpClient();
            clients.Add(client);
            await client.ConnectAsync("127.0.0.1", service.Api.Port, TestContext.Current.CancellationToken);
        }
        return clients;
    }
}
