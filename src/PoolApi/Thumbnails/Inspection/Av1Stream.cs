namespace PoolApi.Thumbnails.Inspection;

/// <summary>What an AV1 stream says of itself.</summary>
/// <param name="Area">How many pixels a frame may have.</param>
/// <param name="Frames">How many frames there are.</param>
/// <param name="IsFull">Whether its profile allows 12 bits, or colours that are not subsampled in both directions.</param>
/// <param name="IsDeep">Whether samples have more than 8 bits.</param>
/// <param name="Length">How many bytes it has.</param>
internal readonly record struct Av1Stream(double Area, int Frames, bool IsFull, bool IsDeep, int Length)
{
    private const int SequenceHeader = 1;
    private const int FrameHeader = 3;
    private const int Frame = 6;

    /// <summary>Walks over the units of a stream.</summary>
    public static Av1Stream Measure(ReadOnlySpan<byte> stream)
    {
        int streamLength = stream.Length;
        bool full = false, deep = false;
        double area = 0;
        int frames = 0;
        while (!stream.IsEmpty)
        {
            int header = stream[0];
            int at = (header & 4) != 0 ? 2 : 1;
            ulong length = 0;
            if ((header & 2) == 0)
            {
                length = (ulong)Math.Max(0, stream.Length - at);
            }
            else
            {
                for (int n = 0; n < 8 && at < stream.Length; n++)
                {
                    byte part = stream[at++];
                    length |= (ulong)(part & 0x7F) << (7 * n);
                    if ((part & 0x80) == 0) break;
                }
            }
            if (at > stream.Length || length > (ulong)(stream.Length - at)) break;

            int type = header >> 3 & 15;
            if (type is FrameHeader or Frame) frames++;
            else if (type == SequenceHeader) ReadSequence(stream.Slice(at, (int)length), ref area, ref full, ref deep);
            stream = stream[(at + (int)length)..];
        }
        return new Av1Stream(area, frames, full, deep, streamLength);
    }

    // AV1, 5.5.1, up to the first bit of the colour configuration.
    private static void ReadSequence(ReadOnlySpan<byte> sequence, ref double area, ref bool full, ref bool deep)
    {
        var bits = new Bits(sequence);
        full |= bits.Next(3) != 0;
        bits.Next(1);
        bool still = bits.Next(1) == 1;
        if (still)
        {
            bits.Next(5);
        }
        else
        {
            bool decoderModel = false;
            int delayLength = 0;
            if (bits.Next(1) == 1)
            {
                bits.Next(32);
                bits.Next(32);
                if (bits.Next(1) == 1) bits.SkipUvlc();
                decoderModel = bits.Next(1) == 1;
                if (decoderModel)
                {
                    delayLength = (int)bits.Next(5) + 1;
                    bits.Next(32);
                    bits.Next(10);
                }
            }
            bool displayDelay = bits.Next(1) == 1;
            long points = bits.Next(5) + 1;
            for (long n = 0; n < points; n++)
            {
                bits.Next(12);
                if (bits.Next(5) > 7) bits.Next(1);
                if (decoderModel && bits.Next(1) == 1)
                {
                    bits.Next(delayLength);
                    bits.Next(delayLength);
                    bits.Next(1);
                }
                if (displayDelay && bits.Next(1) == 1) bits.Next(4);
            }
        }
        int widthBits = (int)bits.Next(4) + 1;
        int heightBits = (int)bits.Next(4) + 1;
        area = Math.Max(area, (bits.Next(widthBits) + 1.0) * (bits.Next(heightBits) + 1.0));
        SkipTools(ref bits, still);
        deep |= bits.Next(1) == 1;
    }

    private static void SkipTools(ref Bits bits, bool still)
    {
        if (!still && bits.Next(1) == 1) bits.Next(7);
        bits.Next(3);
        if (!still)
        {
            bits.Next(4);
            bool orderHint = bits.Next(1) == 1;
            if (orderHint) bits.Next(2);
            bool screenContent = bits.Next(1) == 1 || bits.Next(1) == 1;
            if (screenContent && bits.Next(1) == 0) bits.Next(1);
            if (orderHint) bits.Next(3);
        }
        bits.Next(3);
    }

    private ref struct Bits(ReadOnlySpan<byte> bytes)
    {
        private readonly ReadOnlySpan<byte> _bytes = bytes;
        private long _at;

        public long Next(int count)
        {
            long value = 0;
            for (int n = 0; n < count; n++, _at++)
            {
                long index = _at >> 3;
                int bit = index < _bytes.Length ? _bytes[(int)index] >> (7 - (int)(_at & 7)) & 1 : 0;
                value = value << 1 | (long)bit;
            }
            return value;
        }

        public void SkipUvlc()
        {
            int zeros = 0;
            while (zeros < 32 && Next(1) == 0) zeros++;
            if (zeros < 32) Next(zeros);
        }
    }
}
