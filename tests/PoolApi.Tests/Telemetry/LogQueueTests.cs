using PoolApi.Telemetry;

namespace PoolApi.Tests.Telemetry;

/// <summary>A log whose reader stalls blocks only the writer thread of its queue, and no caller.</summary>
public sealed class LogQueueTests : IDisposable
{
    private static readonly TimeSpan Patience = TestKit.Patience.Long;

    private readonly SemaphoreSlim _reads = new(0); // how many lines the reader takes
    private readonly SemaphoreSlim _written = new(0);
    private readonly ManualResetEventSlim _begun = new(); // the writer has begun to write the first line
    private readonly List<string> _lines = [];
    private readonly LogQueue _queue;
    private int _formatFailures; // how many times there is no memory for the line that reports dropped lines

    public LogQueueTests() => _queue = new LogQueue(4, Write, FormatDropped);

    [Fact]
    public void Callers_do_not_wait_for_a_stalled_reader_and_dropped_lines_are_counted()
    {
        AddBlocked(1000);
        Assert.Equal(1000 - 4, _queue.Dropped);
        Assert.Empty(Lines);
    }

    [Fact]
    public void A_reader_that_resumes_gets_one_line_with_the_number_of_dropped_lines()
    {
        AddBlocked(104);
        ReadOn(lines: 1 + 4 + 1);
        Assert.Equal(["first", "0", "1", "2", "3", "100 dropped"], Lines);
        _queue.Add(new LogLine("next", false));
        ReadOn(lines: 1);
        Assert.Equal("next", Lines[^1]);
    }

    [Fact]
    public void The_drop_count_is_written_later_if_there_was_no_memory_for_its_line()
    {
        Volatile.Write(ref _formatFailures, 3); // the attempts when half of the queue is free, three quarters, and all of it
        AddBlocked(104);
        ReadOn(lines: 1 + 4);
        _queue.Add(new LogLine("next", false));
        ReadOn(lines: 2);
        Assert.Equal(["first", "0", "1", "2", "3", "next", "100 dropped"], Lines);
    }

    [Fact]
    public void The_last_line_is_written_even_without_memory_for_the_drop_count()
    {
        AddBlocked(104);
        Volatile.Write(ref _formatFailures, 1);
        _queue.AddLast(new LogLine("last", false));
        ReadOn(lines: 1 + 4 + 1);
        Assert.True(_queue.Close(Patience));
        Assert.Equal(["first", "0", "1", "2", "3", "last"], Lines);
    }

    [Fact]
    public void A_stalled_reader_does_not_block_the_close_and_later_lines_are_discarded()
    {
        AddBlocked(1);
        Assert.False(_queue.Close(TimeSpan.FromMilliseconds(20)));
        _queue.Add(new LogLine("late", false));
        ReadOn(lines: 2);
        Assert.True(_queue.Close(Patience));
        Assert.Equal(["first", "0"], Lines);
    }

    [Fact]
    public void The_last_line_is_written_even_if_the_queue_is_full_and_no_line_follows_it()
    {
        AddBlocked(104);
        _queue.AddLast(new LogLine("last", false));
        ReadOn(lines: 1 + 4 + 2);
        _queue.Add(new LogLine("late", false));
        _queue.AddLast(new LogLine("another last", false));
        Assert.True(_queue.Close(Patience));
        Assert.Equal(["first", "0", "1", "2", "3", "100 dropped", "last"], Lines);
    }

    [Fact]
    public void Closing_the_queue_writes_every_queued_line()
    {
        _reads.Release(100);
        for (int i = 0; i < 4; i++) _queue.Add(new LogLine($"{i}", false));
        Assert.True(_queue.Close(Patience));
        Assert.Equal(["0", "1", "2", "3"], Lines);
    }

    [Fact]
    public void A_write_that_fails_loses_its_line_and_nothing_else()
    {
        _reads.Release(100);
        _queue.Add(new LogLine("throw", false));
        _queue.Add(new LogLine("after", false));
        Assert.True(_queue.Close(Patience));
        Assert.Equal(["after"], Lines);
        Assert.Equal(1, _queue.Dropped);
    }

    public void Dispose()
    {
        _reads.Release(10_000);
        _queue.Close(Patience);
        _reads.Dispose();
        _written.Dispose();
        _begun.Dispose();
    }

    private string[] Lines
    {
        get
        {
            lock (_lines) return [.. _lines];
        }
    }

    /// <summary>Adds lines while the reader stalls at the first one.</summary>
    private void AddBlocked(int more)
    {
        _queue.Add(new LogLine("first", false));
        Assert.True(_begun.Wait(Patience));
        for (int i = 0; i < more; i++) _queue.Add(new LogLine($"{i}", false));
    }

    private void ReadOn(int lines)
    {
        _reads.Release(lines);
        for (int i = 0; i < lines; i++) Assert.True(_written.Wait(Patience));
    }

    private LogLine FormatDropped(long dropped) =>
        Interlocked.Decrement(ref _formatFailures) >= 0 ? throw new InsufficientMemoryException("planted") : new LogLine($"{dropped} dropped", false);

    private void Write(LogLine line)
    {
        _begun.Set();
        _reads.Wait();
        if (line.Text == "throw") throw new IOException("The disk is full.");
        lock (_lines) _lines.Add(line.Text);
        _written.Release();
    }
}
