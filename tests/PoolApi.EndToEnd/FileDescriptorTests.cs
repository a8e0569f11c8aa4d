using System.Net.Sockets;

namespace PoolApi.EndToEnd;

/// <summary>Out of file descriptors, the service says so, waits for clients to leave, and goes on.</summary>
public sealed class FileDescriptorTests
{
    [Fact]
    public async Task A_listener_without_file_descriptors_logs_once_does_not_spin_and_logs_its_recovery()
    {
        const int Limit = 200;
        if (Tool.Find("prlimit") is null) Tool.Missing("prlimit, to limit the open files,", "apt-get install util-linux");
        // A hard limit: the runtime raises a soft one at its start.
        await using var service = await PoolApiProcess.StartWithinAsync(["prlimit", $"--nofile={Limit}:{Limit}"], ServiceForm.NativeAot, "--Pool:Workers 1");
        var clients = new List<TcpClient>();
        try
        {
            // Those that are not accepted wait in the backlog.
            for (int i = 0; i < Limit + 50; i++)
            {
                var client = new TcpClient();
                clients.Add(client);
                await client.ConnectAsync("127.0.0.1", service.Api.Port, TestContext.Current.CancellationToken);
            }
            string told = await service.WaitForLineAsync("cannot accept connections");
            Assert.Contains($"127.0.0.1:{service.Api.Port}", told, StringComparison.Ordinal);
            Assert.Contains("too many open files", told, StringComparison.Ordinal);

            long before = ProcessFacts.Ticks(service.Id);
            await Task.Delay(1000, TestContext.Current.CancellationToken); // what is measured
            long spent = ProcessFacts.Ticks(service.Id) - before;

            // A listener that spins takes a whole processor: 100 ticks, or what the machine leaves it.
            Assert.InRange(spent, 0, 25);
        }
        finally
        {
            foreach (var client in clients) client.Dispose();
        }

        // The first connection that is accepted in peace ends the episode: one that is kept alive would be the only one.
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
}
