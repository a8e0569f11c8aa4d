using System.Collections.Concurrent;
using System.Diagnostics;
using System.Net.Sockets;

namespace PoolApi.HttpBenchmarks.Load;

/// <summary>
/// Starts each request at its planned time, whether or not earlier ones have come back, as many clients do who know nothing of
/// each other. One that waits for answers before it asks again would let a slow server set the pace, and never see the queue.
/// </summary>
/// <remarks>One thread starts requests and gives them up, with the millisecond that a sleep is exact to; how late it is counts as
/// latency. The answers come on the .NET ThreadPool.</remarks>
internal sealed class OpenLoop
{
    private static readonly TimeSpan DrainPoll = TimeSpan.FromMilliseconds(5);

    private readonly LoadPlan _plan;
    private readonly Answer[] _answers;
    private readonly ConcurrentStack<HttpConnection> _idle = new();
    private readonly Queue<Exchange> _underWay = new(); // by planned start, so by the time they are given up too
    private readonly Stopwatch _clock = new();

    private OpenLoop(LoadPlan plan)
    {
        _plan = plan;
        _answers = new Answer[plan.Count];
    }

    /// <summary>Starts at once, on a thread of its own, and ends when each request has been answered or given up.</summary>
    public static Task<LoadResult> RunAsync(LoadPlan plan) => Task.Factory.StartNew(
        () => new OpenLoop(plan).Run(), CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default);

    private LoadResult Run()
    {
        _clock.Start();
        int next = 0;
        while (true)
        {
            TimeSpan now = _clock.Elapsed;
            for (; next < _answers.Length && _plan.PlannedStart(next) <= now; next++)
            {
                var exchange = new Exchange(next);
                _underWay.Enqueue(exchange);
                _ = AnswerAsync(exchange);
            }

            while (_underWay.TryPeek(out Exchange? oldest) && (oldest.IsOver || GivesUpAt(oldest) <= now))
            {
                _underWay.Dequeue();
                if (oldest.TryEnd()) GiveUp(oldest);
                // Otherwise its answer has just come; it is noted in a moment.
                else SpinWait.SpinUntil(() => oldest.IsOver);
            }

            if (next == _answers.Length && _underWay.Count == 0) break;
            TimeSpan wake = next < _answers.Length ? _plan.PlannedStart(next) : now + DrainPoll;
            if (_underWay.TryPeek(out Exchange? first) && GivesUpAt(first) < wake) wake = GivesUpAt(first);
            double wait = (wake - _clock.Elapsed).TotalMilliseconds;
            if (wait > 0) Thread.Sleep((int)Math.Ceiling(wait));
        }
        while (_idle.TryPop(out HttpConnection? connection)) connection.Dispose();
        return new LoadResult(_plan, _answers);
    }

    private TimeSpan GivesUpAt(Exchange exchange) => _plan.PlannedStart(exchange.Number) + _plan.Patience;

    private void GiveUp(Exchange exchange)
    {
        Note(exchange, Answer.GaveUp);
        exchange.Connection?.HangUp();
    }

    private async Task AnswerAsync(Exchange exchange)
    {
        HttpConnection? connection = null;
        int status = Answer.Broken;
        try
        {
            bool isNew;
            do
            {
                connection?.Dispose();
                isNew = !_idle.TryPop(out connection);
                connection ??= new HttpConnection(_plan.Target.Server);
                exchange.Connection = connection;
                if (exchange.HasEnded) break; // perhaps before there was a connection to hang up
                if (isNew) await connection.ConnectAsync();
                status = await connection.ExchangeAsync(_plan.Target.Request);
                // A server may close a connection that is idle, even as a request is on its way.
            }
            while (status == HttpConnection.NoAnswer && !isNew && !exchange.HasEnded);
        }
        catch (Exception e) when (e is SocketException or IOException or InvalidDataException or ObjectDisposedException)
        {
            status = Answer.Broken;
        }

        if (exchange.TryEnd()) Note(exchange, status == HttpConnection.NoAnswer ? Answer.Broken : status);
        else status = Answer.GaveUp;
        if (status > 0 && connection!.IsReusable) _idle.Push(connection);
        else connection?.Dispose();
    }

    private void Note(Exchange exchange, int status)
    {
        TimeSpan now = _clock.Elapsed;
        // An answer that came in the moment before its client hung up, which should have been earlier, is too late as well.
        if (now > GivesUpAt(exchange)) status = Answer.GaveUp;
        _answers[exchange.Number] = new Answer(_plan.PlannedStart(exchange.Number), now, status);
        exchange.IsOver = true;
    }

    /// <summary>One request: it ends by being answered or by being given up, whichever is first.</summary>
    private sealed class Exchange(int number)
    {
        private HttpConnection? _connection;
        private int _ended;
        private bool _over;

        public int Number => number;

        public HttpConnection? Connection
        {
            get => Volatile.Read(ref _connection);
            // Before who sets it looks whether it has ended, as who ends it looks for it afterwards.
            set => Interlocked.Exchange(ref _connection, value);
        }

        public bool HasEnded => Volatile.Read(ref _ended) != 0;

        /// <summary>Whether what became of it is noted, too.</summary>
        public bool IsOver
        {
            get => Volatile.Read(ref _over);
            set => Volatile.Write(ref _over, value);
        }

        public bool TryEnd() => Interlocked.Exchange(ref _ended, 1) == 0;
    }
}
