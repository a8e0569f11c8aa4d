namespace PoolApi.Thumbnails.Avif;

/// <summary>The properties of an AV1 stream that decide its cost. Reading them costs one walk over its units, without an allocation.</summary>
/// <param name="Area">The most pixels of a frame.</param>
/// <param name="Frames">The number of frames.</param>
/// <param name="IsFull">Whether its profile allows 12 bits, or colours that are not subsampled in both directions.</param>
/// <param name="IsDeep">Whether samples have more than 8 bits.</param>
/// <param name="Length">Its length in bytes.</param>
internal readonly record struct Av1Stream(double Area, int Frames, bool IsFull, bool IsDeep, int Length)
{
    /// <summary>Reads the properties of a stream.</summary>
    public static Av1Stream Measure(ReadOnlySpan<byte> stream)
    {
        var measured = new Av1Stream(0, 0, false, false, stream.Length);
        foreach (Av1Unit unit in Av1Unit.Of(stream))
        {
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
        return measured;
    }
}
