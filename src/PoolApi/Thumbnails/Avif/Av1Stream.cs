namespace PoolApi.Thumbnails.Avif;

/// <summary>What an AV1 stream says of itself.</summary>
/// <param name="Area">How many pixels a frame may have.</param>
/// <param name="Frames">How many frames there are.</param>
/// <param name="IsFull">Whether its profile allows 12 bits, or colours that are not subsampled in both directions.</param>
/// <param name="IsDeep">Whether samples have more than 8 bits.</param>
/// <param name="Length">How many bytes it has.</param>
internal readonly record struct Av1Stream(double Area, int Frames, bool IsFull, bool IsDeep, int Length)
{
    /// <summary>Walks over the units of a stream.</summary>
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
