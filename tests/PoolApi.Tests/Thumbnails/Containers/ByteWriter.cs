using System.Buffers;
using System.Buffers.Binary;

namespace PoolApi.Tests.Thumbnails.Containers;

/// <summary>Writes the numbers and texts of a container, in either byte order.</summary>
internal sealed class ByteWriter(bool bigEndian = true)
{
    private readonly ArrayBufferWriter<byte> _bytes = new();

    public int Length => _bytes.WrittenCount;

    public ByteWriter Raw(params ReadOnlySpan<byte> bytes)
    {
        _bytes.Write(bytes);
        return this;
    }

    public ByteWriter Text(string text)
    {
        foreach (char c in text) U8(c);
        return this;
    }

    public ByteWriter U8(int value)
    {
        ReadOnlySpan<byte> bytes = [(byte)value];
        return Raw(bytes);
    }

    public ByteWriter U16(int value)
    {
        Span<byte> bytes = stackalloc byte[2];
        if (bigEndian) BinaryPrimitives.WriteUInt16BigEndian(bytes, (ushort)value);
        else BinaryPrimitives.WriteUInt16LittleEndian(bytes, (ushort)value);
        return Raw(bytes);
    }

    public ByteWriter U24(int value) =>
        bigEndian ? U8(value >> 16).U8(value >> 8).U8(value) : U8(value).U8(value >> 8).U8(value >> 16);

    public ByteWriter U32(long value)
    {
        Span<byte> bytes = stackalloc byte[4];
        if (bigEndian) BinaryPrimitives.WriteUInt32BigEndian(bytes, (uint)value);
        else BinaryPrimitives.WriteUInt32LittleEndian(bytes, (uint)value);
        return Raw(bytes);
    }

    public ByteWriter U64(long value) => bigEndian ? U32(value >> 32).U32(value) : U32(value).U32(value >> 32);

    public byte[] ToArray() => _bytes.WrittenSpan.ToArray();
}
