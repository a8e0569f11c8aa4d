namespace PoolApi.Jobs.AspNetCore.Replay;

/// <summary>The response is larger than a stored result may be.</summary>
internal sealed class ResultTooLargeException(int limit) : Exception(TextOf(limit))
{
    public static string TextOf(int limit) => $"The response is larger than {limit} bytes.";
}

/// <summary>Keeps in memory what is written to it, and throws beyond a limit.</summary>
internal sealed class BoundedStream(int limit) : MemoryStream
{
    /// <summary>Whether what was written, or was to be written, is beyond the limit.</summary>
    public bool IsExceeded { get; private set; }

    public ReadOnlyMemory<byte> Written => GetBuffer().AsMemory(0, (int)Length);

    /// <summary>Throws if a write was beyond the limit: the writer may have swallowed its exception.</summary>
    public void ThrowIfExceeded()
    {
        if (IsExceeded) throw new ResultTooLargeException(limit);
    }

    public override void Write(byte[] buffer, int offset, int count)
    {
        Check(count);
        base.Write(buffer, offset, count);
    }

    public override void Write(ReadOnlySpan<byte> buffer)
    {
        Check(buffer.Length);
        base.Write(buffer);
    }

    public override Task WriteAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken)
    {
        Check(count);
        return base.WriteAsync(buffer, offset, count, cancellationToken);
    }

    public override ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default)
    {
        Check(buffer.Length);
        return base.WriteAsync(buffer, cancellationToken);
    }

    public override void WriteByte(byte value)
    {
        Check(1);
        base.WriteByte(value);
    }

    /// <summary>Throws if a length is beyond the limit.</summary>
    public void CheckLength(long bytes)
    {
        IsExceeded |= bytes > limit;
        ThrowIfExceeded();
    }

    private void Check(int more) => CheckLength(Length + more);
}
