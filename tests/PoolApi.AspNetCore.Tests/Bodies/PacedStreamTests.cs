using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.OutputCaching;
using Microsoft.Extensions.Time.Testing;
using PoolApi.AspNetCore.Endpoints;

namespace PoolApi.AspNetCore.Tests.Bodies;

/// <summary>The minimum rate at which a client must read a response that holds a part of the budget.</summary>
public class PacedStreamTests
{
    private const int Piece = PacedStream.Piece;

    private static readonly TimeSpan Stall = TimeSpan.FromSeconds(15);

    /// <summary>Each row has a rate in bytes per second, and whether it is enough: the minimum rate is 32 KiB per second.</summary>
    [Theory]
    [InlineData(4_400, false)] // takes each piece just within the stall timeout
    [InlineData(16_000, false)]
    [InlineData(32_000, false)]
    [InlineData(33_000, true)]
    [InlineData(10_000_000, true)]
    public async Task A_client_must_take_an_answer_at_the_minimum_rate(int bytesPerSecond, bool isEnough)
    {
        var time = new FakeTimeProvider();
        var budget = new ResponseBudget(30 << 20) { Time = time };
        const int Length = 24 << 20;
        var client = new Client(time, _ => TimeSpan.FromSeconds(Piece / (double)bytesPerSecond));
        long start = time.GetTimestamp();

        await budget.TryTake(client.Context, Length)!.SendAsync(client.Context, new byte[Length]);

        Assert.Equal(isEnough, !client.IsCut);
        Assert.Equal(isEnough, client.Taken == Length);
        Assert.Equal(isEnough, client.MayBeCached);
        Assert.Equal(0, budget.Used);
        Assert.True(time.GetElapsedTime(start) <= budget.StallTimeout + TimeSpan.FromSeconds(Length / budget.MinimumRate));
    }

    [Fact]
    public async Task A_client_less_than_the_stall_timeout_behind_the_minimum_rate_is_not_cut_off()
    {
        var time = new FakeTimeProvider();
        var budget = new ResponseBudget(1 << 20) { Time = time };
        // Three pieces in 18 s: 11 kB/s.
        var client = new Client(time, static _ => TimeSpan.FromSeconds(6));

        await budget.TryTake(client.Context, 3 * Piece)!.SendAsync(client.Context, new byte[3 * Piece]);

        Assert.False(client.IsCut);
    }

    [Fact]
    public async Task Without_a_stall_timeout_a_client_may_read_a_response_arbitrarily_slowly()
    {
        var time = new FakeTimeProvider();
        var budget = new ResponseBudget(1 << 20) { Time = time, StallTimeout = Timeout.InfiniteTimeSpan };
        var client = new Client(time, static _ => TimeSpan.FromDays(1));

        await budget.TryTake(client.Context, 3 * Piece)!.SendAsync(client.Context, new byte[3 * Piece]);

        Assert.False(client.IsCut);
        Assert.Equal(3 * Piece, client.Taken);
    }

    [Fact]
    public async Task A_client_is_cut_at_the_first_piece_that_takes_too_long_or_that_ends_behind_the_rate()
    {
        int seed = Random.Shared.Next();
        var random = new Random(seed);
        var bytes = new byte[3 * Piece];
        for (int run = 0; run < 200; run++)
        {
            int rate = Piece >> random.Next(3); // a piece takes whole seconds, like the delays
            TimeSpan[] delays = [.. Enumerable.Range(0, random.Next(1, 40)).Select(_ => TimeSpan.FromSeconds(random.Next(random.Next(2, 17))))];
            var time = new FakeTimeProvider();
            var client = new Client(time, n => delays[n]);
            int piecesAWrite = random.Next(1, 4);
            var stream = new PacedStream(client, client.Context, Stall, rate, time);

            for (int n = 0; n < delays.Length && !client.IsCut; n += piecesAWrite)
                await stream.WriteAsync(bytes.AsMemory(0, Piece * Math.Min(piecesAWrite, delays.Length - n)), TestContext.Current.CancellationToken);

            // A piece that is taken exactly at its deadline is late.
            TimeSpan elapsed = default;
            int inTime = delays.TakeWhile((delay, n) => delay < Stall && (elapsed += delay) < Stall + TimeSpan.FromSeconds((n + 1.0) * Piece / rate)).Count();
            Assert.True(
                (inTime, inTime < delays.Length) == (client.Taken / Piece, client.IsCut),
                $"seed {seed}, run {run}: {inTime} of {delays.Length} pieces are in time, {client.Taken / Piece} were taken: {rate}, {piecesAWrite}, {string.Join(' ', delays.Select(static d => d.TotalSeconds))}");
        }
    }

    /// <summary>The server's side of a client that takes each piece after a delay.</summary>
    private sealed class Client : Stream, IHttpRequestLifetimeFeature, IOutputCacheFeature
    {
        private readonly FakeTimeProvider _time;
        private readonly Func<int, TimeSpan> _delay;
        private int _pieces;

        public Client(FakeTimeProvider time, Func<int, TimeSpan> delay)
        {
            (_time, _delay) = (time, delay);
            Cache = new OutputCacheContext { HttpContext = Context, AllowCacheStorage = true };
            Context.Features.Set<IHttpRequestLifetimeFeature>(this);
            Context.Features.Set<IOutputCacheFeature>(this);
            Context.Response.Body = this;
        }

        public DefaultHttpContext Context { get; } = new();

        OutputCacheContext IOutputCacheFeature.Context => Cache;

        public bool IsCut { get; private set; }

        public bool MayBeCached => Cache.AllowCacheStorage;

        private OutputCacheContext Cache { get; }

        public CancellationToken RequestAborted { get; set; }

        public long Taken { get; private set; }

        public override bool CanRead => false;

        public override bool CanSeek => false;

        public override bool CanWrite => true;

        public override long Length => throw new NotSupportedException();

        public override long Position
        {
            get => throw new NotSupportedException();
            set => throw new NotSupportedException();
        }

        public void Abort() => IsCut = true;

        public override ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default)
        {
            Assert.False(IsCut);
            _time.Advance(_delay(_pieces++));
            if (cancellationToken.IsCancellationRequested) return ValueTask.FromCanceled(cancellationToken);
            Taken += buffer.Length;
            return default;
        }

        public override void Flush() => throw new NotSupportedException();

        public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();

        public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException();

        public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

        public override void SetLength(long value) => throw new NotSupportedException();
    }
}
