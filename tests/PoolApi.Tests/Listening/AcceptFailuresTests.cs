using System.Net;
using System.Net.Sockets;
using PoolApi.Listening;
using PoolApi.Tests.Service;

namespace PoolApi.Tests.Listening;

/// <summary>A listener that lacks file descriptors or memory pauses after each failure. It logs the start and the end of an episode once.</summary>
public sealed class AcceptFailuresTests : IDisposable
{
    private readonly Clock _clock = new();
    private readonly CapturingLog _log = new();
    private readonly AcceptFailures _failures;

    public AcceptFailuresTests() => _failures = new AcceptFailures(
        new IPEndPoint(IPAddress.Loopback, 8080), _clock, new LoggerFactory([_log]).CreateLogger<ConnectionListener>());

    [Fact]
    public async Task Repeated_accept_failures_are_logged_once_at_the_start_and_once_at_the_end()
    {
        for (int i = 0; i < 20; i++)
        {
            await FailAsync(SocketError.TooManyOpenSockets);
            _failures.Accepted();
        }
        Assert.Contains("127.0.0.1:8080 cannot accept connections", Assert.Single(_log.Texts), StringComparison.Ordinal);

        _clock.Now += AcceptFailures.Quiet;
        _failures.Accepted();
        _failures.Accepted();
        Assert.Equal(2, _log.Texts.Count);
        Assert.Contains("127.0.0.1:8080 accepts connections again, after", _log.Texts[^1], StringComparison.Ordinal);

        await FailAsync(SocketError.NoBufferSpaceAvailable);
        Assert.Equal(3, _log.Texts.Count);
    }

    [Fact]
    public async Task A_failure_is_followed_by_a_pause()
    {
        Task<bool> waiting = _failures.WaitAfterAsync(new SocketException((int)SocketError.TooManyOpenSockets), ServiceApp.Token).AsTask();
        Assert.Equal(AcceptFailures.Pause, _clock.Due);
        Assert.False(waiting.IsCompleted);
        _clock.Elapse();
        Assert.True(await waiting);
    }

    [Theory]
    [InlineData(SocketError.ConnectionReset)]
    [InlineData(SocketError.ConnectionAborted)]
    public async Task A_client_that_disconnects_in_the_backlog_causes_no_pause_and_no_log_line(SocketError error)
    {
        Assert.True(await _failures.WaitAfterAsync(new SocketException((int)error), ServiceApp.Token));
        Assert.Empty(_log.Texts);
        Assert.Null(_clock.Due);
    }

    [Fact]
    public async Task A_lack_of_memory_is_logged_and_followed_by_a_pause()
    {
        Task<bool> waiting = _failures.WaitAfterAsync(new InsufficientMemoryException("planted"), ServiceApp.Token).AsTask();
        Assert.Equal(AcceptFailures.Pause, _clock.Due);
        _clock.Elapse();
        Assert.True(await waiting);
        Assert.Contains("127.0.0.1:8080 cannot accept connections: planted.", Assert.Single(_log.Texts), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Without_memory_for_the_pause_the_listener_tries_again_at_once()
    {
        _clock.HasTimers = false;
        Assert.True(await _failures.WaitAfterAsync(new InsufficientMemoryException("planted"), ServiceApp.Token));
    }

    [Fact]
    public async Task The_listener_continues_when_the_log_throws()
    {
        using var log = new ThrowingLog();
        var failures = new AcceptFailures(new IPEndPoint(IPAddress.Loopback, 8080), _clock, log.For<ConnectionListener>());
        Task<bool> waiting = failures.WaitAfterAsync(new SocketException((int)SocketError.TooManyOpenSockets), ServiceApp.Token).AsTask();
        _clock.Elapse();
        Assert.True(await waiting);

        _clock.Now += AcceptFailures.Quiet;
        failures.Accepted();

        Assert.Equal(2, log.Thrown);
    }

    [Fact]
    public async Task Unbinding_the_listener_ends_its_pause()
    {
        using var unbound = new CancellationTokenSource();
        Task<bool> waiting = _failures.WaitAfterAsync(new SocketException((int)SocketError.TooManyOpenSockets), unbound.Token).AsTask();
        await unbound.CancelAsync();
        Assert.False(await waiting);
    }

    public void Dispose() => _log.Dispose();

    private async Task FailAsync(SocketError error)
    {
        Task<bool> waiting = _failures.WaitAfterAsync(new SocketException((int)error), ServiceApp.Token).AsTask();
        _clock.Elapse();
        Assert.True(await waiting);
    }

    /// <summary>A clock with one timer.</summary>
    private sealed class Clock : TimeProvider
    {
        private readonly ManualTimer _timer = new();

        public TimeSpan Now { get; set; }

        public TimeSpan? Due { get; private set; }

        public bool HasTimers { get; set; } = true;

        public override long TimestampFrequency => TimeSpan.TicksPerSecond;

        public override long GetTimestamp() => Now.Ticks;

        public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period)
        {
            if (!HasTimers) throw new InsufficientMemoryException("planted");
            Due = dueTime;
            return _timer.CreateTimer(callback, state, dueTime, period);
        }

        public void Elapse()
        {
            Now += Due!.Value;
            _timer.Fire();
        }
    }
}
