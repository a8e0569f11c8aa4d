using System.Collections.Concurrent;
using System.Diagnostics;
using System.Net.Sockets;

namespace PoolApi.HttpBenchmarks.Load;

/// <summary>
/// Starts each request at its planned time, whether or not earlier ones have a response, like many independent clients. A client
/// that waits for each response before the next request would let a slow server set the pace, and would never see the queue.
/// </summary>
/// <remarks>One thread starts requests and gives them up, with the precision of a sleep, one millisecond. Its delays count as
/// latency. The responses are read on the .NET ThreadPool.</remarks>
internal sealed class OpenLoop
{
    private static readonly TimeSpan DrainPoll = TimeSpan.FromMilliseconds(5);

    private readonly LoadPlan _plan;
    private readonly Answer[] _answers;
    private readonly ConcurrentStack<HttpConnection> _idle = new();
    private readonly Queue<Exchange> _underWay = new(); // in the order of planned starts, which is that of giving up
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
                // Otherwise its response has just arrived. It is recorded in a moment.
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
                if (exchange.HasEnded) break; // perhaps before the connection was set, so that nothing closed it
                if (isNew) await connection.ConnectAsync();
                status = await connection.ExchangeAsync(_plan.Target.Request);
                // A server may close an idle connection even while a request is on its way.
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
        // A response after the time to give up is too late, even if the client disconnects only a moment later.
        if (now > GivesUpAt(exchange)) status = Answer.GaveUp;
        _answers[exchange.Number] = new Answer(_plan.PlannedStart(exchange.Number), now, status);
        exchange.IsOver = true;
    }

    /// <summary>One request. It ends when its response arrives or when its client gives up, whichever is first.</summary>
    private sealed class Exchange(int number)
    {
        private HttpConnection? _connection;
        private int _ended;
        private bool _over;

        public int Number => number;

        public HttpConnection? Connection
        {
            get => Volatile.Read(ref _connection);
            // A full fence: the caller reads HasEnded after this write, and the thread that ends the exchange then reads the connection.
            set => Interlocked.Exchange(ref _connection, value);
        }

        public bool HasEnded => Volatile.Read(ref _ended) != 0;

        /// <summary>Whether its result is recorded, too.</summary>
        public bool IsOver
        {
            get => Volatile.Read(ref _over);
            set => Volatile.Write(ref _over, value);
        }

        public bool TryEnd() => Interlocked.Exchange(ref _ended, 1) == 0;
    }
}
