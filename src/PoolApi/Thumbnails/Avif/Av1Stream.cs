namespace PoolApi.Thumbnails.Avif;

/// <summary>The properties of an AV1 stream that decide its cost. Reading them costs one walk over its units, without an allocation.</summary>
/// <param name="Area">The most pixels of a frame.</param>
/// <param name="Frames">The number of frames.</param>
/// <param name="IsFull">Whether its profile allows 12 bits, or colours that are not subsampled in both directions.</param>
/// <param name="IsDeep">Whether samples have more than 8 bits.</param>
/// <param name="Length">Its length in bytes.</param>
/// <param name="IsWhole">Whether it ends where its last unit ends, so that bytes appended to it begin a unit.</param>
internal readonly record struct Av1Stream(double Area, int Frames, bool IsFull, bool IsDeep, int Length, bool IsWhole)
{
    /// <summary>A stream without units.</summary>
    public static Av1Stream Empty { get; } = new(0, 0, false, false, 0, true);

    /// <summary>The properties of two streams, one behind the other.</summary>
    public Av1Stream Then(Av1Stream next) => new(
        Math.Max(Area, next.Area), Frames + next.Frames, IsFull | next.IsFull, IsDeep | next.IsDeep, Length + next.Length, next.IsWhole);

    /// <summary>Reads the properties of a stream.</summary>
    public static Av1Stream Measure(ReadOnlySpan<byte> stream)
    {
        Av1Stream measured = Empty with { Length = stream.Length };
        int end = 0;
        bool hasLength = true;
        foreach (Av1Unit unit in Av1Unit.Of(stream))
        {
            (end, hasLength) = (unit.End, unit.HasLength);
            if (unit.Type is Av1Unit.FrameHeader or Av1Unit.Frame)
            {
                measured = measured with { Frames = measured.Frames + 1 };
            }
            else if (unit.Type == Av1Unit.SequenceHeader)
            {
                Av1SequenceHeader header = Av1SequenceHeader.Read(unit.Content);
                measured = measured with
                {
                    Area = Math.Max(measured.Area, header.Area),
                    IsFull = measured.IsFull | header.IsFull,
                    IsDeep = measured.IsDeep | header.IsDeep,
                };
            }
        }
        return measured with { IsWhole = end == stream.Length && hasLength };
    }
}
