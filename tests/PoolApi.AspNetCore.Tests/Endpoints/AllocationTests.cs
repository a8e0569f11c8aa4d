using System.Net;
using System.Net.Sockets;
using System.Text;
using Microsoft.AspNetCore.Http.HttpResults;
using PoolApi.AspNetCore.Tests.Support;
using PoolApi.Threading;

namespace PoolApi.AspNetCore.Tests.Endpoints;

/// <summary>What a request to an endpoint on the pool allocates beyond the same request to the same handler beside the pool.</summary>
/// <remarks>No other test runs in parallel: the count includes the allocations of the whole process.</remarks>
[CollectionDefinition(nameof(AllocationTests), DisableParallelization = true)]
[Collection(nameof(AllocationTests))]
public sealed class AllocationTests
{
    private const double MostBytes = 400;

    [Theory]
    [InlineData("/text")]
    [InlineData("/typed")]
    [InlineData("/result")]
    public async Task A_request_on_the_pool_allocates_at_most_400_bytes_more_than_off_the_pool(string path)
    {
        await using TestApp app = await TestApp.StartAsync(
            static app =>
            {
                Map(app);
                Map(app.MapGroup("/pool").RunOnPool());
            },
            configure: static builder => builder.Logging.ClearProviders(),
            kestrel: true);
        (double beside, double onPool) = (0, 0);
        var client = new Thread(() => (beside, onPool) = Measure(app.Address!, path)) { IsBackground = true };
        client.Start();
        Assert.True(client.Join(TimeSpan.FromMinutes(15)), "the requests were not answered"); // at least 8,000, one after another
        Assert.InRange(onPool - beside, double.MinValue, MostBytes);
        Assert.True(app.Pool.GetSnapshot().Counts[WorkOutcome.Completed] >= 1_000);
    }

    private static void Map(IEndpointRouteBuilder routes)
    {
        routes.MapGet("/text", static () => "ok");
        routes.MapGet("/typed", static () => TypedResults.Text("ok"));
        ContentHttpResult known = TypedResults.Text("ok");
        routes.MapGet("/result", IResult () => known);
    }

    /// <summary>Runs on its own thread and blocks, because a client that awaits would allocate too.</summary>
    private static (double Beside, double OnPool) Measure(Uri address, string path)
    {
        using var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        socket.Connect(IPAddress.Loopback, address.Port);
        byte[] answer = new byte[4096];
        (byte[] beside, byte[] onPool) = (Request(path), Request("/pool" + path));
        Send(beside, 1_000); // warms up the JIT compiler and the caches
        Send(onPool, 1_000);
        double least = double.MaxValue, most = double.MaxValue;
        // The count covers the whole process, because the server allocates on its own threads. The runtime allocates too: rounds are short,
        // so that it allocates nothing in at least one of them.
        for (int round = 0; round < 300; round++) least = Math.Min(least, Round(beside));
        for (int round = 0; round < 5_000 && most - least > MostBytes; round++) most = Math.Min(most, Round(onPool));
        return (least, most);

        double Round(byte[] request)
        {
            const int Requests = 20;
            long before = GC.GetTotalAllocatedBytes(precise: true);
            Send(request, Requests);
            return (double)(GC.GetTotalAllocatedBytes(precise: true) - before) / Requests;
        }

        void Send(byte[] request, int times)
        {
            for (int i = 0; i < times; i++)
            {
                socket.Send(request);
                int length = 0;
                do
                {
                    int read = socket.Receive(answer, length, answer.Length - length, SocketFlags.None);
                    Assert.NotEqual(0, read);
                    length += read;
                }
                while (!IsWhole(answer.AsSpan(0, length)));
            }
        }

        static byte[] Request(string path) => Encoding.ASCII.GetBytes($"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n");

        static bool IsWhole(ReadOnlySpan<byte> answer) => answer.EndsWith("\r\n\r\nok"u8) || answer.EndsWith("ok\r\n0\r\n\r\n"u8);
    }
}
