using System.Buffers.Binary;
using System.Text;

namespace PoolApi.Dashboard.Traces.Formats;

/// <summary>The bytes of one message in the wire format of Protocol Buffers (https://protobuf.dev/programming-guides/encoding). Reused; not thread-safe.</summary>
internal sealed class ProtoMessage
{
    private const int Varint = 0, Fixed64 = 1, Bytes = 2;

    private byte[] _bytes = new byte[256];

    public int Length { get; private set; }

    public ReadOnlySpan<byte> Span => _bytes.AsSpan(0, Length);

    public ReadOnlyMemory<byte> Memory => _bytes.AsMemory(0, Length);

    public void Clear() => Length = 0;

    public void Number(int field, ulong value)
    {
        Tag(field, Varint);
        WriteVarint(value);
    }

    /// <summary>Writes a number that may be negative, as an int64: in two's complement.</summary>
    public void Signed(int field, long value) => Number(field, (ulong)value);

    public void Fixed(int field, ulong value)
    {
        Tag(field, Fixed64);
        BinaryPrimitives.WriteUInt64LittleEndian(Room(8), value);
    }

    public void Double(int field, double value) => Fixed(field, (ulong)BitConverter.DoubleToInt64Bits(value));

    public void Text(int field, string value)
    {
        Tag(field, Bytes);
        int size = Encoding.UTF8.GetByteCount(value);
        WriteVarint((ulong)size);
        Encoding.UTF8.GetBytes(value, Room(size));
    }

    public void Message(int field, ProtoMessage value)
    {
        Tag(field, Bytes);
        WriteVarint((ulong)value.Length);
        value.Span.CopyTo(Room(value.Length));
    }

    private void Tag(int field, int wireType) => WriteVarint(((ulong)field << 3) | (uint)wireType);

    private void WriteVarint(ulong value)
    {
        while (value >= 0x80)
        {
            Room(1)[0] = (byte)(value | 0x80);
            value >>= 7;
        }
        Room(1)[0] = (byte)value;
    }

    /// <summary>Appends that many bytes and returns them.</summary>
    private Span<byte> Room(int size)
    {
        if (Length + size > _bytes.Length) Array.Resize(ref _bytes, Math.Max(Length + size, _bytes.Length * 2));
        Length += size;
        return _bytes.AsSpan(Length - size, size);
    }
}
