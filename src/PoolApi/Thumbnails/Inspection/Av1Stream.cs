namespace PoolApi.Thumbnails.Inspection;

/// <summary>Walks over the units of an AV1 stream: how large its frames may be, and how many there are.</summary>
internal static class Av1Stream
{
    private const int SequenceHeader = 1;
    private const int FrameHeader = 3;
    private const int Frame = 6;

    public static (double Area, int Frames) Measure(ReadOnlySpan<byte> stream)
    {
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
            else if (type == SequenceHeader) area = Math.Max(area, AreaOf(stream.Slice(at, (int)length)));
            stream = stream[(at + (int)length)..];
        }
        return (area, frames);
    }

    // AV1, 5.5.1: what stands before the largest width and height.
    private static double AreaOf(ReadOnlySpan<byte> sequence)
    {
        var bits = new Bits(sequence);
        bits.Next(3);
        bits.Next(1);
        if (bits.Next(1) == 1)
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
        return (bits.Next(widthBits) + 1.0) * (bits.Next(heightBits) + 1.0);
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
