namespace PoolApi.Telemetry;

/// <summary>A line of the log, with its line break.</summary>
/// <param name="Text">The line.</param>
/// <param name="IsError">Whether it goes to standard error.</param>
internal readonly record struct LogLine(string Text, bool IsError);

/// <summary>A bounded queue of log lines. One thread writes them to the reader; no other thread waits for the reader.</summary>
/// <remarks>
/// A reader that stops reading blocks that thread in a write. While the queue is full, further lines are dropped and counted. A line reports
/// how many when half of the queue is free again, or before the last line. Thread-safe.
/// </remarks>
internal sealed class LogQueue
{
    private readonly int _capacity;
    private readonly Action<LogLine> _write;
    private readonly Func<long, LogLine> _formatDropped;
    private readonly Queue<LogLine> _lines = new(); // also the lock of everything here
    private readonly Thread _writer;
    private long _dropped;
    private long _unreported;
    private bool _hasLast; // no line is accepted after the last one
    private bool _isClosed; // no line is accepted, and the writer ends when the queue is empty

    /// <param name="capacity">How many lines may wait.</param>
    /// <param name="write">Writes a line; may block, and may throw: then the line is lost.</param>
    /// <param name="formatDropped">Makes the line that reports how many were dropped.</param>
    public LogQueue(int capacity, Action<LogLine> write, Func<long, LogLine> formatDropped)
    {
        (_capacity, _write, _formatDropped) = (capacity, write, formatDropped);
        _writer = new Thread(Write) { IsBackground = true, Name = "log" };
        _writer.UnsafeStart();
    }

    /// <summary>How many lines were dropped.</summary>
    public long Dropped
    {
        get
        {
            lock (_lines) return _dropped;
        }
    }

    /// <summary>Queues a line, or drops it. Never waits for the reader.</summary>
    public void Add(LogLine line)
    {
        lock (_lines)
        {
            if (_hasLast || _isClosed) return;
            if (_lines.Count >= _capacity)
            {
                _dropped++;
                _unreported++;
                return;
            }
            _lines.Enqueue(line);
            if (_lines.Count == 1) Monitor.Pulse(_lines);
        }
    }

    /// <summary>Queues the last line, even if the queue is full, and accepts no further lines.</summary>
    public void AddLast(LogLine line)
    {
        lock (_lines)
        {
            if (_hasLast || _isClosed) return;
            if (_unreported > 0) EnqueueDropped();
            _lines.Enqueue(line);
            _hasLast = true;
            Monitor.Pulse(_lines);
        }
    }

    /// <summary>Accepts no further lines, and waits until the queued lines are written.</summary>
    /// <param name="patience">The longest wait.</param>
    /// <returns>Whether all queued lines are written.</returns>
    public bool Close(TimeSpan patience)
    {
        lock (_lines)
        {
            _isClosed = true;
            Monitor.Pulse(_lines);
        }
        return _writer.Join(patience);
    }

    private void Write()
    {
        while (Next() is { } line)
        {
            try
            {
                _write(line);
            }
            catch (Exception)
            {
                // A full disk, or a reader that has closed its end: the log is lost, and nothing else.
                lock (_lines) _dropped++;
            }
        }
    }

    private LogLine? Next()
    {
        lock (_lines)
        {
            while (true)
            {
                if (_unreported > 0 && !_hasLast && _lines.Count <= _capacity / 2) EnqueueDropped();
                if (_lines.Count > 0) return _lines.Dequeue();
                if (_isClosed) return null;
                Monitor.Wait(_lines);
            }
        }
    }

    private void EnqueueDropped()
    {
        try
        {
            _lines.Enqueue(_formatDropped(_unreported));
            _unreported = 0;
        }
        catch (OutOfMemoryException)
        {
            // A later line reports the number. An exception would end the process on the writer's thread, and on that of a stop lose the last line.
        }
    }
}
